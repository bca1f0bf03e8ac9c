// The logger: pino, JSON lines, one a message. What must never be in a log (tokens, cookies,
// tickets, presigned links, content, secrets) is taken out of the finished line, whatever way it
// came in: a list of paths would miss what is nested or interpolated.

import { type DestinationStream, pino, stdTimeFunctions } from 'pino'
import type { Config } from '../config/config.ts'

export type Logger = ReturnType<typeof createLogger>

/** Writes to standard output unless a stream is given. The config can be handed over whole. */
export function createLogger({ logLevel }: Pick<Config, 'logLevel'>, stream?: DestinationStream) {
  const options = {
    level: logLevel,
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    serializers: {
      req: describeRequest,
      res: describeResponse,
      err: (error: unknown) => describeError(error),
      error: (error: unknown) => describeError(error),
    },
    hooks: { streamWrite: withoutSecrets },
  }
  return stream ? pino(options, stream) : pino(options)
}

const redacted = '[redacted]'

/**
 * Names whose values never belong in a log; compared without case. Numbers and booleans under them
 * may stay: they are counts.
 */
const secretName =
  /^(?:(?:proxy-)?authorization|(?:set-)?cookie|ticket|content|outlines|instructions|chunk|slides|brief)$|password|passwd|secret|token|api[-_]?key|access[-_]?key|credential|signature|private[-_]?key/i
/** Whether a line holds such a name at all: most don't, and need no second look. */
const anySecretName =
  /"(?:(?:proxy-)?authorization|(?:set-)?cookie|ticket|content|outlines|instructions|chunk|slides|brief|[^"]{0,40}(?:password|passwd|secret|token|api[-_]?key|access[-_]?key|credential|signature|private[-_]?key)[^"]{0,40})":/i

/**
 * drizzle puts the values of a failed query into its message, after this: a summary of somebody's
 * conversation, for example.
 */
const queryValues = /\\nparams: (?:[^"\\]|\\.)*/g

function withoutSecrets(line: string): string {
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
    // Never seen: would mean that scrubbing broke the JSON. A line that cannot be checked is not
    // written.
    return `{"level":"error","msg":"a log line could not be checked for secrets and was dropped"}\n`
  }
}

/**
 * Takes out of a text what gives itself away by its form: credentials and queries of URLs
 * (presigned links, tickets), tokens, keys of upstream, and JSON quoted inside a string. Works on
 * encoded JSON too, for it never touches quotes and backslashes.
 */
export function scrub(text: string): string {
  return text
    .replace(/\b([a-z][a-z0-9+.-]{1,20}:\/\/)[^\s"'<>\\/?#]*@/gi, `$1${redacted}@`)
    .replace(/[^\s"'<>\\]{5,}/g, withoutQuery)
    .replace(
      /([?&](?:ticket|X-Amz-\w+|[\w-]{0,40}(?:token|secret|password|signature|key))=)[^&\s"'<>\\#]+/gi,
      `$1${redacted}`,
    )
    .replace(/\b(Bearer|Basic) +[\w.~+/=-]{8,}/gi, `$1 ${redacted}`)
    .replace(/[\w.-]{14,}/g, withoutToken)
    .replace(/\bsk-[\w.-]{8,}/g, redacted)
    .replace(/\b((?:gateway_session|X-Amz-\w+)=)[^&;\s"'<>\\]+/gi, `$1${redacted}`)
    .replace(/((?:password|secret|token|api_?key)\\+"\s*:\s*\\+")[^"\\]+/gi, `$1${redacted}`)
}

/**
 * The query of a URL in this word. Searched for and not matched: a pattern that begins anew at each
 * `://` takes quadratic time.
 */
function withoutQuery(word: string): string {
  const scheme = word.indexOf('://')
  const rest = scheme < 1 ? -1 : word.slice(scheme).search(/[?#]/)
  return rest < 0 || scheme + rest === word.length - 1
    ? word
    : `${word.slice(0, scheme + rest)}?${redacted}`
}

/** The same of a JWT: two parts at least, the first of which begins like encoded JSON. */
function withoutToken(word: string): string {
  const begin = word.search(/\beyJ/)
  return begin >= 0 && /\.[\w-]{5,}/.test(word.slice(begin + 8))
    ? `${word.slice(0, begin)}${redacted}`
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
    // Without its query: a ticket stands there.
    path: request.url?.split('?')[0]?.slice(0, 300),
  }
}

function describeResponse(response: { statusCode?: number }) {
  return { status: response.statusCode }
}

/**
 * Type, code, message, stack and causes of an error, and nothing else that hangs on it: drivers
 * attach rows, parameters, request headers and whole configurations.
 */
function describeError(error: unknown, depth = 0): unknown {
  if (!(error instanceof Error)) return error
  const { code, failure } = error as { code?: unknown; failure?: unknown }
  return {
    type: error.name === 'Error' ? error.constructor.name : error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(typeof failure === 'string' ? { failure } : {}),
    message: error.message.slice(0, 2000),
    stack: stackOf(error),
    ...(error instanceof AggregateError && depth < 4
      ? { errors: error.errors.slice(0, 4).map((one) => describeError(one, depth + 1)) }
      : {}),
    ...(error.cause !== undefined && depth < 4
      ? { cause: describeError(error.cause, depth + 1) }
      : {}),
  }
}

/**
 * The frames alone: the message above them was cleaned in its own field, and a message can look
 * like frames.
 */
function stackOf(error: Error): string | undefined {
  const { stack, message } = error
  if (!stack) return undefined
  const at = message ? stack.indexOf(message) : -1
  const frames = at < 0 ? stack : stack.slice(at + message.length)
  return frames
    .split('\n')
    .filter((line) => /^ {4}at /.test(line))
    .map((line) => line.trim())
    .join('\n')
}
