// The header `traceparent` (W3C Trace Context), from other services and from rows of runs.

export interface TraceContext {
  traceId: string
  spanId: string
  isSampled: boolean
}

const maxBytes = 512
const form = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Undefined for anything that is malformed or longer than 512 bytes. */
export function parseTraceparent(header: unknown): TraceContext | undefined {
  if (typeof header !== 'string' || Buffer.byteLength(header) > maxBytes) return undefined
  const [, version, traceId = '', spanId = '', flags = '', more] = form.exec(header) ?? []
  // Later versions may append members; version 00 has none, and ff is invalid.
  if (version === undefined || version === 'ff' || (version === '00' && more !== undefined))
    return undefined
  if (/^0+$/.test(traceId) || /^0+$/.test(spanId)) return undefined
  return { traceId, spanId, isSampled: (Number.parseInt(flags, 16) & 1) === 1 }
}
