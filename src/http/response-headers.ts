// The response headers that OpenAPI describes, each once. Headers that stand on every response for
// browsers' sake (security-headers.ts, cors.ts) are left out.

interface HeaderDescription {
  description: string
  schema: object
}

const seconds = { type: 'integer', minimum: 0 }
const text = { type: 'string' }

const descriptions = {
  'X-Request-Id': {
    description: 'The id of the request in the log: yours, if you sent a valid one.',
    schema: { type: 'string', pattern: '^[A-Za-z0-9_.:-]{1,64}$' },
  },
  'Cache-Control': { description: 'What caches may do with the response.', schema: text },
  'RateLimit-Limit': { description: 'Requests that you may make in a minute.', schema: seconds },
  'RateLimit-Remaining': { description: 'Requests left in this minute.', schema: seconds },
  'RateLimit-Reset': { description: 'Seconds until the next minute starts.', schema: seconds },
  'Retry-After': {
    description: 'Seconds to wait before the same request can succeed.',
    schema: { type: 'integer', minimum: 1 },
  },
  'WWW-Authenticate': {
    description: 'How to authenticate.',
    schema: { type: 'string', enum: ['Bearer'] },
  },
  Upgrade: {
    description: 'The protocol to upgrade to.',
    schema: { type: 'string', enum: ['websocket'] },
  },
  'Sec-WebSocket-Version': {
    description: 'The supported version of the protocol.',
    schema: { type: 'string', enum: ['13'] },
  },
  Allow: { description: 'The methods that the path has.', schema: text },
  Location: {
    description: 'The URL of the presentation or source, or of a file.',
    schema: { type: 'string', format: 'uri' },
  },
  'Idempotency-Replayed': {
    description: 'The response is that of an earlier request with the same Idempotency-Key.',
    schema: { type: 'string', enum: ['true'] },
  },
  ETag: {
    description: 'The revision of the deck, as an entity tag for If-Match.',
    schema: { type: 'string', pattern: '^"[0-9]+"$' },
  },
  'Set-Cookie': { description: 'The session cookie, set or cleared.', schema: text },
  Vary: { description: 'The request headers that the response depends on.', schema: text },
  'X-Accel-Buffering': {
    description: 'Asks nginx not to hold the stream back.',
    schema: { type: 'string', enum: ['no'] },
  },
} as const satisfies Record<string, HeaderDescription>

export type HeaderName = keyof typeof descriptions

export interface DescribedHeader extends HeaderDescription {
  required?: true
}

/** Of every response of a route that counts requests. */
export const rateLimitHeaders = [
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
] as const satisfies HeaderName[]

/** These headers as OpenAPI describes them. */
export function describeHeaders(
  names: readonly HeaderName[],
  { isRequired }: { isRequired: boolean },
): Record<string, DescribedHeader> {
  return Object.fromEntries(
    names.map((name) => [name, { ...descriptions[name], ...(isRequired && { required: true }) }]),
  )
}
