// Holds exported spans against all that may stand in them. A name, an attribute or a value that is
// not listed here may be content, a title, a token, a link or an address.

import { expect } from 'vitest'

const method = '(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS|_OTHER)'
// Words, placeholders (in routes also with their pattern) and numbers of versions. An id would have
// digits, and content spaces.
const segment = String.raw`(?:v[12]|:\w+(?:\(\^[^ /]+\$\))?|\{\w+\}|\*|[a-z._][a-zA-Z._-]*)?`
const path = `(?:/${segment})+`
const stage = '(?:create|outlines|prepare|slides|edit|export|store)'
const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'
const tool = '[a-z]+(?:_[a-z]+)*'

const whole = (pattern: string) => new RegExp(`^(?:${pattern})$`)

const names = whole(
  [
    `${method}(?: (?:${path}|\\*))?`,
    ...['run', `(?:stage|attempt) ${stage}`, 'transaction', 'event stream', 'webhook delivery'],
    ...['S3 [a-z ]{1,30}', `tools/call ${tool}`],
  ].join('|'),
)

const numberValue = whole(String.raw`-?\d+(?:\.\d+)?(?:e-?\d+)?`)

const attributes: Record<string, RegExp> = {
  'http.request.method': whole(method),
  'http.response.status_code': whole(String.raw`\d{3}`),
  'http.route': whole(`${path}|\\*`),
  'url.scheme': whole('https?'),
  'url.template': whole(path),
  'service.peer.name': whole('presenton'),
  'db.system.name': whole('postgresql'),
  'rpc.system.name': whole('aws-api'),
  'rpc.service': whole('S3'),
  'mcp.method.name': whole('tools/call'),
  'gen_ai.tool.name': whole(tool),
  // A code of a problem, of Node or of Postgres; a status; the name of an error; a word of ours.
  'error.type': whole(
    String.raw`[A-Z][A-Z0-9_]+|[0-9A-Z]{5}|\d{3}|[A-Z][a-zA-Z]+|[a-z][a-z_ ]{1,30}`,
  ),
  'gateway.presentation.id': whole(uuid),
  'gateway.delivery.id': whole(uuid),
  'gateway.stage': whole(stage),
  'gateway.attempt': numberValue,
  'gateway.run.number': numberValue,
  'gateway.run.kind': whole('[a-z]{1,20}'),
  'gateway.run.takeovers': numberValue,
  'gateway.run.outcome': whole('[a-z -]{1,20}'),
  'gateway.run.time_to_first_slide': numberValue,
  'service.name': whole('presenton-gateway'),
  'service.version': whole(String.raw`\d+\.\d+\.\d+`),
  'telemetry.sdk.language': whole('nodejs'),
  'telemetry.sdk.name': whole('opentelemetry'),
  'telemetry.sdk.version': whole(String.raw`\d+\.\d+\.\d+`),
}

/** Paths of members, without the indexes of arrays. */
const members: Record<string, RegExp> = {
  'scope.name': whole('presenton-gateway'),
  'scope.version': whole(String.raw`\d+\.\d+\.\d+`),
  'spans.name': names,
  'spans.traceId': whole('[0-9a-f]{32}'),
  'spans.spanId': whole('[0-9a-f]{16}'),
  'spans.parentSpanId': whole('[0-9a-f]{16}'),
  'spans.kind': numberValue,
  'spans.flags': numberValue,
  'spans.startTimeUnixNano': numberValue,
  'spans.endTimeUnixNano': numberValue,
  'spans.status.code': numberValue,
  'spans.droppedAttributesCount': numberValue,
  'spans.droppedEventsCount': numberValue,
  'spans.droppedLinksCount': numberValue,
  'spans.events.name': whole('first slide|stream opened'),
  'spans.events.timeUnixNano': numberValue,
  'spans.events.droppedAttributesCount': numberValue,
  'spans.links.traceId': whole('[0-9a-f]{32}'),
  'spans.links.spanId': whole('[0-9a-f]{16}'),
  'spans.links.flags': numberValue,
  'spans.links.droppedAttributesCount': numberValue,
  'resource.droppedAttributesCount': numberValue,
}

/** Whether all journeys hold their spans against the list, as .ci/run does. It takes a while. */
export const areSpansChecked = process.env['CHECK_SPANS'] === '1'

/** Notes what exported bytes hold that is not listed above, each once. */
export function createSpanCheck(secrets: readonly string[]) {
  const unknown = new Set<string>()
  const note = (what: string, value: unknown) => unknown.add(`${what}: ${JSON.stringify(value)}`)
  let count = 0

  function visit(value: unknown, at: string): void {
    if (Array.isArray(value)) {
      if (at === 'spans') count += value.length
      for (const item of value) visit(item, at)
    } else if (isAttribute(value, at)) {
      const [text] = Object.values(value.value)
      if (!attributes[value.key]?.test(String(text))) note(value.key, text)
    } else if (typeof value === 'object' && value !== null) {
      for (const [name, member] of Object.entries(value)) visit(member, at ? `${at}.${name}` : name)
    } else if (!members[at]?.test(String(value))) note(at, value)
  }

  return {
    take(bytes: string): void {
      for (const { scopeSpans, ...rest } of JSON.parse(bytes).resourceSpans) {
        visit(rest, '')
        for (const one of scopeSpans) visit(one, '')
      }
      for (const secret of secrets) if (bytes.includes(secret)) unknown.add('a secret')
    },
    expectOnlyKnown(): void {
      expect([...unknown], 'in spans, but not listed').toEqual([])
    },
    get count() {
      return count
    },
  }
}

function isAttribute(
  value: unknown,
  at: string,
): value is { key: string; value: Record<string, unknown> } {
  return at.endsWith('attributes') && typeof value === 'object' && value !== null
}
