// The typed failure of this service. What a Problem says may be shown to a caller; its `cause` is
// for the log only.

import { STATUS_CODES } from 'node:http'
import { type InvalidPlace, type ProblemCode, problems } from '../contract/problem.ts'

/** What a failed call to upstream means for the run that made it. */
export type FailureKind =
  /** No connection: wait, burn no attempt. */
  | 'outage'
  /** Our credentials are refused or missing: wait for the operator, burn no attempt. */
  | 'credentials'
  /** A limit of upstream's model: wait within a bound, then it burns an attempt. */
  | 'limit'
  /** A bad response: burns an attempt. */
  | 'fault'
  /** A retry can't help: the run ends. */
  | 'final'
  /** Our deck no longer exists: start again at create, with the saved outlines. */
  | 'gone'
  /** The exported file is not what it claims to be: export again. */
  | 'bad-file'

/** What is wrong with upstream's model, as far as its provider's text says. */
export type ModelFailure =
  /** A limit that passes within minutes. */
  | 'limit'
  /** No quota or credit is left: waiting for minutes does not help. */
  | 'exhausted'
  /** One request is over a limit, so no wait helps. */
  | 'too-large'
  | 'credentials'
  | 'unreachable'
  | 'unknown-model'

/** Node still says "Unprocessable Entity" (RFC 9110, section 15.5.21). */
const titles: Record<number, string | undefined> = {
  ...STATUS_CODES,
  422: 'Unprocessable Content',
}

export interface ProblemOptions {
  /** Replaces the code's fixed sentence. Only our own words, or upstream's after redaction. */
  detail?: string
  /** Replaces the code's status where it has two (QUEUE_FULL). */
  status?: number
  errors?: InvalidPlace[]
  retryAfterSeconds?: number | undefined
  headers?: Record<string, string>
  /** Set on failures of upstream. */
  failure?: FailureKind
  /** Set on failures of upstream's model. */
  modelFailure?: ModelFailure | undefined
  cause?: unknown
}

/** Thrown wherever a caller, or the subscriber of a run, has to be told of a failure. */
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
  readonly modelFailure: ModelFailure | undefined

  constructor(code: ProblemCode, options: ProblemOptions = {}) {
    const { status, detail, retryable } = problems[code]
    super(
      options.detail ?? detail,
      options.cause === undefined ? undefined : { cause: options.cause },
    )
    this.name = 'Problem'
    this.code = code
    this.status = options.status ?? status
    this.title = titles[this.status] ?? 'Error'
    this.detail = options.detail ?? detail
    this.retryable = retryable
    this.errors = options.errors
    this.retryAfterSeconds = options.retryAfterSeconds
    this.headers = options.headers ?? {}
    this.failure = options.failure
    this.modelFailure = options.modelFailure
  }
}

/** How a failure appears in events and in the presentation. */
export interface RunError {
  code: ProblemCode
  detail: string
  retryable: boolean
}

export function toRunError({ code, detail, retryable }: Problem): RunError {
  return { code, detail, retryable }
}
