// The login of one account. Upstream limits logins: five failures lock the account for 300 s, and
// its nginx allows ten a minute. So there is one login at a time, a few a minute, and none before a
// limit has passed.

import { raceSignal } from '../async/signals.ts'
import type { Problem } from '../domain/problem.ts'
import {
  credentialsRefused,
  outage,
  parseRetryAfter,
  type TextResponse,
  toProblem,
} from './failures.ts'

const maxLoginsPerMinute = 6
/** nginx's own 429 has no Retry-After. */
const defaultLimitSeconds = 60
/** After each refused login in a row: at most three in the 300 s in which upstream counts five. */
const refusedSeconds = [60, 120, 300]

interface LoginSessionOptions<Credentials> {
  credentials: Credentials | undefined
  postLogin(credentials: Credentials): Promise<TextResponse>
  /** Upstream refused the login with this status. */
  onRefused(status: number): void
  now(): number
}

export function createLoginSession<Credentials>({
  credentials,
  postLogin,
  onRefused,
  now,
}: LoginSessionOptions<Credentials>) {
  let cookie: string | undefined
  let pendingLogin: Promise<string> | undefined
  let recentLoginsMs: number[] = []
  let refusals = 0
  let blocked: { untilMs: number; problem: (leftSeconds: number) => Problem } | undefined

  function block(seconds: number, problem: (leftSeconds: number) => Problem): Problem {
    blocked = { untilMs: now() + seconds * 1000, problem }
    return problem(seconds)
  }

  async function logIn(): Promise<string> {
    if (!credentials) throw credentialsRefused(new Error('no credentials for a login'))
    const nowMs = now()
    if (blocked && nowMs < blocked.untilMs)
      throw blocked.problem(Math.ceil((blocked.untilMs - nowMs) / 1000))
    recentLoginsMs = recentLoginsMs.filter((timeMs) => timeMs > nowMs - 60_000)
    if (recentLoginsMs.length >= maxLoginsPerMinute)
      throw outage(new Error('too many logins'), defaultLimitSeconds)
    recentLoginsMs.push(nowMs)
    const response = await postLogin(credentials)
    if (response.status === 429) {
      const seconds = parseRetryAfter(response.headers, now()) ?? defaultLimitSeconds
      throw block(seconds, (left) => outage(new Error('upstream limits logins'), left))
    }
    if (isRefusedLogin(response)) {
      const cause = new Error(`the login was refused with status ${response.status}`)
      const seconds = refusedSeconds[Math.min(refusals, refusedSeconds.length - 1)] ?? 0
      refusals += 1
      onRefused(response.status)
      throw block(seconds, (left) => credentialsRefused(cause, left))
    }
    const received =
      response.status === 200 ? sessionCookieOf(response.headers['set-cookie']) : undefined
    if (received === undefined) throw toProblem(response, { routeKind: 'login', nowMs: now() })
    blocked = undefined
    refusals = 0
    cookie = received
    return received
  }

  return {
    /**
     * The cookie of the session. Concurrent callers share one login, which goes on when one of them
     * aborts.
     */
    readCookie(signal: AbortSignal): Promise<string> {
      if (cookie !== undefined) return Promise.resolve(cookie)
      pendingLogin ??= logIn().finally(() => {
        pendingLogin = undefined
      })
      return raceSignal(pendingLogin, signal)
    },

    /** No login is possible now. */
    isBlocked: (): boolean => blocked !== undefined && now() < blocked.untilMs,

    /** Ends the session that `refused` belongs to; a newer one stays. */
    discard(refused: string | undefined): void {
      if (refused === cookie) cookie = undefined
    },
  }
}

/** A wrong password, an account that may not sign in, or no account at all. */
export function isRefusedLogin({ status }: TextResponse): boolean {
  return status === 401 || status === 403 || status === 428
}

/** Upstream's session cookie alone: no other cookie that it sets is ever sent back. */
export function sessionCookieOf(header: string | string[] | undefined): string | undefined {
  for (const line of header === undefined ? [] : [header].flat()) {
    const pair = line.split(';', 1)[0]?.trim() ?? ''
    if (/^presenton_session=[^\s;,]+$/.test(pair)) return pair
  }
  return undefined
}
