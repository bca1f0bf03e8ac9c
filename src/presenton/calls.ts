// Calls to upstream on behalf of an account: requests with our credentials, a new login after a
// 401, and a Problem for every status that was not expected.

import type { AuthKind, CallOptions } from './account.ts'
import type { Auth, AuthHeaders } from './auth.ts'
import type { Breaker } from './breaker.ts'
import { paths } from './dialect.ts'
import {
  fault,
  isSetupRequired,
  isUnauthorized,
  readReason,
  type TextResponse,
  toProblem,
} from './failures.ts'
import type { Liveness } from './liveness.ts'
import type { OpenedBody } from './opened-body.ts'
import { redactUpstreamText } from './redact.ts'
import type { Requests, UpstreamRequestOptions } from './requests.ts'

export interface Call extends CallOptions, UpstreamRequestOptions {
  auth: AuthKind
  /** May take minutes, so it must not be the one call that decides a half-open circuit. */
  isSlow?: boolean
  /** Costs money: a user's session is verified before. */
  isPaid?: boolean
  /** Never sent again, not even after a new login: always, or under the session of a user. */
  isOnce?: true | 'for-users'
}

interface CallsOptions {
  requests: Requests
  verifyTimeoutMs: number
  auth: Auth
  breaker: Breaker
  liveness: Liveness
  now(): number
}

export type Calls = ReturnType<typeof createCalls>

export function createCalls(options: CallsOptions) {
  const { requests, auth, breaker, liveness, verifyTimeoutMs, now } = options

  /** What upstream says of credentials, apart from what it does with a single call. */
  async function verify(
    { headers }: AuthHeaders,
    signal: AbortSignal,
  ): Promise<'accepted' | 'refused' | 'unknown'> {
    const { status } = await requests.fetchText({
      routeKind: 'other',
      isCheap: true,
      path: paths.verify,
      timeoutMs: verifyTimeoutMs,
      headers,
      signal,
    })
    if (status === 200) return 'accepted'
    return isAuthStatus(status) ? 'refused' : 'unknown'
  }

  /**
   * Whether a response means our credentials. A 401 of `prepare` may be one of the model, even in
   * the same words; a file may belong to another account; a 403 may be about this call alone.
   */
  async function isRefusal(
    response: TextResponse,
    { routeKind, signal }: Call,
    used: AuthHeaders,
  ): Promise<boolean> {
    if (isSetupRequired(response)) return true
    if (!isUnauthorized(response, routeKind)) return (await verify(used, signal)) === 'refused'
    if (routeKind !== 'prepare' && routeKind !== 'file') return true
    return (await verify(used, signal)) !== 'accepted'
  }

  /** The headers for a call. A paid one is not sent with a session that has ended. */
  async function goodHeaders({
    account,
    signal,
    auth: kind,
    isPaid,
  }: Pick<Call, 'account' | 'signal' | 'auth' | 'isPaid'>): Promise<AuthHeaders> {
    const headers = await auth.headersFor({ account, signal, kind })
    const check = (until: AbortSignal) => verify(headers, until)
    if (!isPaid || (await auth.isGood(headers, check))) return headers
    return auth.headersFor({ account, signal, kind })
  }

  /** Acts with our credentials, and once more with new ones if upstream does not accept them. */
  async function withCredentials<Result extends object>(
    call: Call,
    act: (request: UpstreamRequestOptions) => Promise<Result | TextResponse>,
  ): Promise<Result | TextResponse> {
    if (call.isSlow && breaker.state() === 'half-open') await liveness.check(call.signal)
    const { account, routeKind } = call
    for (let isRenewed = false; ; isRenewed = true) {
      const used = await goodHeaders(call)
      const response = await act({ ...call, headers: { ...call.headers, ...used.headers } })
      if (!isTextResponse(response) || !isAuthStatus(response.status)) {
        // Some files are public, so they prove nothing.
        if (routeKind !== 'file') auth.accept({ account, used })
        return response
      }
      if (call.isOnce === true || (call.isOnce && used.user)) {
        if (!isUnauthorized(response, routeKind)) return response
        // The next call logs in again.
        auth.renew({ account, used })
        throw sessionEnded(response.status)
      }
      const renew = () => !isRenewed && auth.renew({ account, used })
      if (isUnauthorized(response, routeKind) && renew()) continue
      if (!(await isRefusal(response, call, used))) return response
      // A login is as impossible as the call while there is no account.
      if (!isSetupRequired(response) && renew()) continue
      const cause = {
        status: response.status,
        reason: redactUpstreamText(readReason(response.text)),
      }
      throw auth.refuse({ account, used, cause })
    }
  }

  const problemOf = (response: TextResponse, { routeKind }: Call) =>
    toProblem(response, { routeKind, nowMs: now() })

  async function send(call: Call): Promise<TextResponse> {
    const response = await withCredentials<TextResponse>(call, requests.fetchText)
    const { status } = response
    if ((status >= 200 && status < 300) || call.expectedStatuses?.includes(status)) return response
    throw problemOf(response, call)
  }

  return {
    /** The whole response if its status is 2xx or expected; otherwise rejects with a Problem. */
    send,

    /** The parsed body of `send`. A body that is not JSON is a fault. */
    fetchJson: async (call: Call): Promise<unknown> => parseJson(await send(call)),

    /**
     * A 200 response whose body is read as it arrives; any other status rejects with a Problem.
     * After `stallMs` without a byte, also before the head, it rejects with UPSTREAM_TIMEOUT.
     */
    async open({ stallMs, ...call }: Call & { stallMs: number }): Promise<OpenedBody> {
      const slowCall = { ...call, isSlow: true }
      const response = await withCredentials<OpenedBody>(slowCall, (request) =>
        requests.openBody(request, stallMs),
      )
      if (isTextResponse(response)) throw problemOf(response, call)
      return response
    },

    goodHeaders,

    /** After a refusal: asks whether the credentials work again. Sends nothing otherwise. */
    async recheckCredentials({
      account,
      signal,
      auth: kind,
    }: CallOptions & { auth: AuthKind }): Promise<void> {
      if (!auth.isRefused(account)) return
      const used = await auth.headersFor({ account, signal, kind })
      if ((await verify(used, signal)) === 'accepted') auth.accept({ account, used })
    },
  }
}

/** It has burned the attempt. It is no sign of another version of upstream. */
const sessionEnded = (status: number) =>
  fault('the session has ended', { cause: { status, reason: 'The session has ended.' } })

function isAuthStatus(status: number): boolean {
  return status === 401 || status === 403 || status === 428
}

function isTextResponse(response: object): response is TextResponse {
  return 'text' in response
}

/** Anything but JSON is a fault. */
export function parseJson({ text }: TextResponse): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // The parser's own error quotes the text.
    throw fault('the response is not JSON')
  }
}
