// The typed failure of this service: one stable code for each thing that can go wrong, with its
// status and its sentence. What a Problem says may be shown to a caller; what caused it (`cause`)
// never is.

/**
 * Every code that an answer or an event may carry: status, title, the fixed sentence, and whether
 * trying again can help.
 */
export const problems = {
  AUTHENTICATION_FAILED: [
    401,
    'Unauthorized',
    'The credentials are missing, expired or not valid.',
    false,
  ],
  AUTHENTICATION_UNAVAILABLE: [
    503,
    'Service Unavailable',
    'The keys that prove who calls cannot be reached just now.',
    true,
  ],
  PERMISSION_DENIED: [403, 'Forbidden', 'This is not allowed from here.', false],
  NOT_FOUND: [404, 'Not Found', 'There is nothing here.', false],
  METHOD_NOT_ALLOWED: [
    405,
    'Method Not Allowed',
    'This resource does not know that method.',
    false,
  ],
  CONFLICT: [409, 'Conflict', 'The presentation is in a state that does not allow this.', false],
  NOT_READY: [409, 'Conflict', 'This does not exist yet.', true],
  VALIDATION_FAILED: [400, 'Bad Request', 'The request is not valid.', false],
  PAYLOAD_TOO_LARGE: [413, 'Payload Too Large', 'The request body is too large.', false],
  UNSUPPORTED_MEDIA_TYPE: [415, 'Unsupported Media Type', 'The request body must be JSON.', false],
  IDEMPOTENCY_KEY_REUSED: [
    422,
    'Unprocessable Content',
    'This Idempotency-Key was used for a different request.',
    false,
  ],
  RATE_LIMIT_EXCEEDED: [
    429,
    'Too Many Requests',
    'Too many requests; wait before the next one.',
    true,
  ],
  TOO_MANY_STREAMS: [429, 'Too Many Requests', 'Too many event streams are open.', true],
  QUOTA_EXCEEDED: [
    429,
    'Too Many Requests',
    'The quota for this period is used up; it frees itself with time.',
    true,
  ],
  QUOTA_EXHAUSTED: [
    402,
    'Payment Required',
    'The quota is used up; delete presentations or ask for more.',
    false,
  ],
  QUEUE_FULL: [429, 'Too Many Requests', 'Too many presentations are waiting already.', true],
  UPSTREAM_REJECTED: [
    422,
    'Unprocessable Content',
    'The presentation generator refused this request.',
    false,
  ],
  UPSTREAM_ERROR: [502, 'Bad Gateway', 'The presentation generator failed.', true],
  UPSTREAM_UNAVAILABLE: [
    503,
    'Service Unavailable',
    'The presentation generator cannot be reached just now.',
    true,
  ],
  UPSTREAM_TIMEOUT: [504, 'Gateway Timeout', 'The presentation generator took too long.', true],
  STORAGE_UNAVAILABLE: [
    503,
    'Service Unavailable',
    'The file store cannot be reached just now.',
    true,
  ],
  DATABASE_UNAVAILABLE: [
    503,
    'Service Unavailable',
    'The database cannot be reached just now.',
    true,
  ],
  INTERNAL_ERROR: [500, 'Internal Server Error', 'Something went wrong on our side.', true],
  CANCELLED: [409, 'Conflict', 'The run was cancelled.', true],
  REVIEW_EXPIRED: [409, 'Conflict', 'The outlines were not approved in time.', true],
  INTERRUPTED: [500, 'Internal Server Error', 'The run was interrupted too often.', true],
  RUN_TIMEOUT: [504, 'Gateway Timeout', 'The run took too long.', true],
  TOKEN_EXPIRED: [401, 'Unauthorized', 'The token has expired.', true],
} as const satisfies Record<
  string,
  readonly [status: number, title: string, detail: string, retryable: boolean]
>

export type ProblemCode = keyof typeof problems

export const problemCodes = Object.keys(problems) as ProblemCode[]

/**
 * One invalid place of a request: a JSON pointer into the body (or a parameter's name) and what is
 * wrong there.
 */
export interface InvalidPlace {
  path: string
  message: string
}

/** What a failed call to upstream means for the run that made it (spec section 7). */
export type FailureKind =
  /** Nobody answers: wait, burn no attempt. */
  | 'outage'
  /** It answered badly: burns an attempt. */
  | 'fault'
  /** Trying again can't help: the run ends. */
  | 'final'
  /** Our deck is not there any more: start again at create, with the saved outlines. */
  | 'gone'
  /** The exported file is not what it claims to be: export again. */
  | 'bad-file'

export interface ProblemOptions {
  /** Replaces the code's fixed sentence. Only ever our own words, or upstream's after redaction. */
  detail?: string
  /** Replaces the code's status where the spec knows two (QUEUE_FULL). */
  status?: number
  errors?: InvalidPlace[]
  retryAfterSeconds?: number
  headers?: Record<string, string>
  /** Set on failures of upstream. */
  failure?: FailureKind
  cause?: unknown
}

/** What is thrown wherever a caller, or the reader of a run, has to be told something. */
export class Problem extends Error {
  readonly code: ProblemCode
  readonly status: number
  readonly title: string
  readonly detail: string
  readonly retryable: boolean
  readonly errors: InvalidPlace[] | undefined
  readonly retryAfterSeconds: number | undefined
  readonly headers: Record<string, string>
  readonly failure: FailureKind | undefined

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const [status, title, detail, retryable] = problems[code]
    super(
      options.detail ?? detail,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'Problem'
    this.code = code
    this.status = options.status ?? status
    this.title = options.status === 503 ? 'Service Unavailable' : title
    this.detail = options.detail ?? detail
    this.retryable = retryable
    this.errors = options.errors
    this.retryAfterSeconds = options.retryAfterSeconds
    this.headers = options.headers ?? {}
    this.failure = options.failure
  }
}
