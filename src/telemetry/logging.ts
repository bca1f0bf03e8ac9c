// The logger: pino, one JSON line for each message. Tokens, cookies, tickets, presigned links,
// content and secrets are redacted in the finished line, because a list of paths would miss nested
// and interpolated values.

import { type DestinationStream, pino, stdTimeFunctions } from 'pino'
import type { Config } from '../config/config.ts'
import { activeSpan } from './traces/span.ts'

export type Logger = ReturnType<typeof createLogger>

/** Writes to standard output by default. */
export function createLogger({ logLevel }: Pick<Config, 'logLevel'>, stream?: DestinationStream) {
  const options = {
    level: logLevel,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    // pino adds the members of the line to this object.
    mixin: () => ({ ...activeSpan()?.ids }),
    serializers: {
      req: describeRequest,
      res: describeResponse,
      err: (error: unknown) => describeError(error),
      error: (error: unknown) => describeError(error),
    },
    hooks: { streamWrite: redactLine },
  }
  return stream ? pino(options, stream) : pino(options)
}

const redacted = '[redacted]'

/** Names of members, as a whole, whose text and object values are redacted. */
const secretNames = [
  ...['authorization', 'proxy-authorization', 'cookie', 'set-cookie', 'ticket'],
  ...['content', 'outlines', 'instructions', 'chunk', 'slides', 'brief'],
].join('|')
/** Parts of such names. Numbers and booleans are counts, and stay. */
const secretParts = [
  ...['password', 'passwd', 'secret', 'token', 'credential', 'signature'],
  ...['api[-_]?key', 'access[-_]?key', 'private[-_]?key'],
].join('|')
const secretName = new RegExp(`^(?:${secretNames})$|${secretParts}`, 'i')
/** Whether a line has such a member at all. Most lines do not, and are not parsed. */
const anySecretName = new RegExp(
  `"(?:${secretNames}|[^"]{0,40}(?:${secretParts})[^"]{0,40})":`,
  'i',
)

/** Drizzle appends the values of a failed query to its message; one may be a user's summary. */
const queryValues = /\\nparams: (?:[^"\\]|\\.)*/g

function redactLine(line: string): string {
  const text = scrub(line.replace(queryValues, ''))
  if (!anySecretName.test(text)) return text
  const redact = (name: string, value: unknown) =>
    secretName.test(name) &&
    value !== null &&
    (typeof value === 'string' || typeof value === 'object')
      ? redacted
      : value
  try {
    return `${JSON.stringify(JSON.parse(text, redact))}\n`
  } catch {
    // Only if `scrub` broke the JSON, which was never seen. An unchecked line is not written.
    return `{"level":"error","msg":"dropped a log line that could not be checked for secrets"}\n`
  }
}

/**
 * Redacts what is recognisable by its form: credentials and queries of URLs, tokens, API keys of
 * Presenton, and JSON quoted in a string. It keeps quotes and backslashes, so encoded JSON stays
 * valid.
 */
export function scrub(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s"'<>\\/?#]*@/gi, `$1${redacted}@`)
    .replace(/[^\s"'<>\\]{5,}/g, redactQuery)
    .replace(
      /([?&](?:ticket|X-Amz-\w+|[\w-]{0,40}(?:token|secret|password|signature|key))=)[^&\s"'<>\\#]+/gi,
      `$1${redacted}`,
    )
    .replace(/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, `$1 ${redacted}`)
    .replace(/[\w.-]{14,}/g, redactToken)
    .replace(/\bsk-[\w.-]{8,}/g, redacted)
    .replace(/\b((?:gateway_session|X-Amz-\w+)=)[^&;\s"'<>\\]+/gi, `$1${redacted}`)
    .replace(/((?:password|secret|token|api_?key)\\+"\s*:\s*\\+")[^"\\]+/gi, `$1${redacted}`)
}

/**
 * Redacts the query of a URL. It searches for `://` instead of matching it: a pattern that starts
 * at each `://` takes quadratic time.
 */
function redactQuery(word: string): string {
  const scheme = word.indexOf('://')
  const rest = scheme < 1 ? -1 : word.slice(scheme).search(/[?#]/)
  return rest < 0 || scheme + rest === word.length - 1
    ? word
    : `${word.slice(0, scheme + rest)}?${redacted}`
}

/** Redacts a JWT: at least two parts, of which the first starts like encoded JSON. */
function redactToken(word: string): string {
  const start = word.search(/\beyJ/)
  return start >= 0 && /\.[\w-]{5,}/.test(word.slice(start + 8))
    ? `${word.slice(0, start)}${redacted}`
    : word
}

interface RequestLike {
  id?: unknown
  method?: string
  url?: string
  routeOptions?: { url?: string | undefined }
}

function describeRequest(request: RequestLike) {
  return {
    id: request.id,
    method: request.method,
    route: request.routeOptions?.url,
    // Without the query, which may hold a ticket.
    path: request.url?.split('?')[0]?.slice(0, 300),
  }
}

function describeResponse(response: { statusCode?: number }) {
  return { status: response.statusCode }
}

/**
 * Type, code, message, stack and causes of an error. Other properties are left out: drivers attach
 * rows, parameters, request headers and whole configurations.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error
  const { code, failure } = error as { code?: unknown; failure?: unknown }
  const described: Record<string, unknown> = {
    type: error.name === 'Error' ? error.constructor.name : error.name,
  }
  if (typeof code === 'string' || typeof code === 'number') described['code'] = code
  if (typeof failure === 'string') described['failure'] = failure
  described['message'] = error.message.slice(0, 2000)
  described['stack'] = stackOf(error)
  if (depth >= 4) return described
  if (error instanceof AggregateError)
    described['errors'] = error.errors.slice(0, 4).map((one) => describeError(one, depth + 1))
  if (error.cause !== undefined) described['cause'] = describeError(error.cause, depth + 1)
  return described
}

/** The frames without the message, which has its own field and may look like frames. */
function stackOf(error: Error): string | undefined {
  const { stack, message } = error
  if (!stack) return undefined
  const index = message ? stack.indexOf(message) : -1
  const frames = index < 0 ? stack : stack.slice(index + message.length)
  return frames
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .map((line) => line.trim())
    .join('\n')
}
