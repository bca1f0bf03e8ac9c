// The variables of traces, with the names that OpenTelemetry gives them. Its SDK reads some more by
// itself: limits, timeouts and certificates.

import {
  anyText,
  baseUrl,
  boolean,
  decimal,
  oneOf,
  optional,
  or,
  type Read,
  reject,
} from './values.ts'

const samplers = [
  'always_on',
  'always_off',
  'traceidratio',
  'parentbased_always_on',
  'parentbased_always_off',
  'parentbased_traceidratio',
] as const

export const traceVariables = {
  OTEL_SDK_DISABLED: or(false, boolean),
  OTEL_EXPORTER_OTLP_ENDPOINT: optional(baseUrl),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: optional(baseUrl),
  OTEL_EXPORTER_OTLP_HEADERS: or({}, pairs),
  OTEL_EXPORTER_OTLP_TRACES_HEADERS: or({}, pairs),
  OTEL_SERVICE_NAME: optional(anyText),
  OTEL_RESOURCE_ATTRIBUTES: or({}, pairs),
  OTEL_TRACES_EXPORTER: or('otlp', oneOf(['otlp', 'none'])),
  OTEL_TRACES_SAMPLER: or('parentbased_always_on', oneOf(samplers)),
  OTEL_TRACES_SAMPLER_ARG: or(1, decimal(0, 1)),
} satisfies Record<string, Read<unknown>>

type Values = {
  [Name in keyof typeof traceVariables]: ReturnType<(typeof traceVariables)[Name]>
}

type Root = 'always_on' | 'always_off' | 'traceidratio'

/** Undefined without an endpoint: nothing of OpenTelemetry is loaded then. */
export function traceConfig(v: Values) {
  const general = v.OTEL_EXPORTER_OTLP_ENDPOINT
  const url = v.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT ?? (general && `${general}/v1/traces`)
  if (url === undefined || v.OTEL_SDK_DISABLED || v.OTEL_TRACES_EXPORTER === 'none')
    return undefined
  const { 'service.name': named, ...resourceAttributes } = v.OTEL_RESOURCE_ATTRIBUTES
  return {
    /** With the path. */
    url,
    headers: { ...v.OTEL_EXPORTER_OTLP_HEADERS, ...v.OTEL_EXPORTER_OTLP_TRACES_HEADERS },
    serviceName: v.OTEL_SERVICE_NAME ?? named ?? 'presenton-gateway',
    resourceAttributes,
    sampler: {
      root: v.OTEL_TRACES_SAMPLER.replace('parentbased_', '') as Root,
      isParentBased: v.OTEL_TRACES_SAMPLER.startsWith('parentbased_'),
      ratio: v.OTEL_TRACES_SAMPLER_ARG,
    },
  }
}

/**
 * `name=value`, separated by commas; values may be percent-encoded, as OpenTelemetry defines it.
 */
function pairs(text: string): Record<string, string> {
  const entries = text.split(',').flatMap((pair): [string, string][] => {
    if (!pair.trim()) return []
    const index = pair.indexOf('=')
    const name = pair.slice(0, index).trim()
    if (index < 1 || !/^[\x21-\x7e]+$/.test(name)) reject('must be a list of name=value')
    return [[name, decode(pair.slice(index + 1).trim())]]
  })
  return Object.fromEntries(entries)
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return reject('must be percent-encoded correctly')
  }
}
