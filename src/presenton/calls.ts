// Calls to upstream on behalf of an account: requests with our credentials, a new login after a
// 401, and a Problem for every status that was not expected.

import type { CallOptions } from './account.ts'
import type { Auth, AuthKind } from './auth.ts'
import type { Breaker } from './breaker.ts'
import { fault, isUnauthorized, type TextResponse, toProblem } from './failures.ts'
import type { Liveness } from './liveness.ts'
import type { OpenedBody } from './opened-body.ts'
import type { Requests, UpstreamRequestOptions } from './requests.ts'

export interface Call extends CallOptions, UpstreamRequestOptions {
  auth: AuthKind
  /** May take minutes, so it must not be the one call that decides a half-open circuit. */
  isSlow?: boolean
}

interface CallsOptions {
  requests: Requests
  auth: Auth
  breaker: Breaker
  liveness: Liveness
  now(): number
}

export type Calls = ReturnType<typeof createCalls>

export function createCalls({ requests, auth, breaker, liveness, now }: CallsOptions) {
  /** Acts with our credentials, and once more with new ones if upstream does not accept them. */
  async function withCredentials<Result extends object>(
    call: Call,
    act: (request: UpstreamRequestOptions) => Promise<Result | TextResponse>,
  ): Promise<Result | TextResponse> {
    if (call.isSlow && breaker.state() === 'half-open') await liveness.check(call.signal)
    const actWith = (headers: Record<string, string>) =>
      act({ ...call, headers: { ...call.headers, ...headers } })
    const { account, signal, auth: kind, routeKind } = call
    const used = await auth.headersFor({ account, signal, kind })
    const response = await actWith(used.headers)
    if (!isTextResponse(response) || !isUnauthorized(response, routeKind)) return response
    if (!auth.renew({ account, used })) return response
    return actWith((await auth.headersFor({ account, signal, kind })).headers)
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
  }
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
