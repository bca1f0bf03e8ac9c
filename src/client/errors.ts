// The one error that calls reject with, besides the reason of an aborted signal.

import type { Problem, ProblemCode } from './types.ts'

export type ErrorCode =
  | ProblemCode
  /** No whole response: no connection, a broken one, or none in time. */
  | 'NETWORK_ERROR'
  /** A response that is not the gateway's, such as the page of a proxy. */
  | 'UNEXPECTED_RESPONSE'

export interface GatewayErrorOptions {
  code: string
  /** Of HTTP; 0 without a response. */
  status: number
  message: string
  retryAfterMs?: number | undefined
  problem?: Problem | undefined
  cause?: unknown
}

export class GatewayError extends Error {
  /** A newer gateway may send codes that are not in `ErrorCode`. */
  readonly code: ErrorCode | (string & {})
  readonly status: number
  readonly retryAfterMs: number | undefined
  readonly requestId: string | undefined
  /** The gateway's problem document, if the response had one. */
  readonly problem: Problem | undefined

  constructor({ code, status, message, retryAfterMs, problem, cause }: GatewayErrorOptions) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GatewayError'
    this.code = code
    this.status = status
    this.retryAfterMs = retryAfterMs
    this.requestId = problem?.request_id
    this.problem = problem
  }
}

export const networkError = (cause: unknown) =>
  new GatewayError({
    code: 'NETWORK_ERROR',
    status: 0,
    message: 'The gateway could not be reached.',
    cause,
  })

export const unexpectedResponse = (status: number, retryAfterMs?: number) =>
  new GatewayError({
    code: 'UNEXPECTED_RESPONSE',
    status,
    message: `The response with status ${status} is not one of the gateway.`,
    retryAfterMs,
  })

export const tokenExpired = () =>
  new GatewayError({ code: 'TOKEN_EXPIRED', status: 401, message: 'The token has expired.' })

/** A failure after which another connection may work. */
export function passes(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError)) return false
  const { status } = error
  return status === 0 || status === 408 || status === 429 || status >= 500
}

/** The error that a response outside of 2xx means. Reads its body. */
export async function readError(response: Response): Promise<GatewayError> {
  const retryAfterMs = readRetryAfter(response.headers)
  const problem = await readProblem(response)
  if (!problem) return unexpectedResponse(response.status, retryAfterMs)
  const { code, detail, status } = problem
  return new GatewayError({ code, status, message: detail, retryAfterMs, problem })
}

async function readProblem(response: Response): Promise<Problem | undefined> {
  try {
    const body = (await response.json()) as Partial<Problem> | null
    // Proxies have errors of their own in JSON, some with a `code`.
    const isProblem = typeof body?.code === 'string' && body.status === response.status
    return isProblem ? (body as Problem) : undefined
  } catch {
    return undefined
  }
}

/** In ms. The gateway sends seconds, proxies also dates. */
function readRetryAfter(headers: Headers): number | undefined {
  const value = headers.get('retry-after') ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value) * 1000
  const date = /^[A-Z][a-z]{2}, /.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(date) ? undefined : Math.max(0, date - Date.now())
}
