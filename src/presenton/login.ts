// Who we are to upstream: an API key, Basic, or the cookie of a login that all calls share. Only
// these headers ever go there. Upstream counts logins (five failures lock it for 300 s; its nginx
// takes ten a minute), so there is one at a time, few a minute, and none while it said to wait.

import { raceSignal } from '../async/signals.ts'
import type { Problem } from '../domain/problem.ts'
import { createPerAccount, type UpstreamAccount } from './account.ts'
import { problemOf, rejected, retryAfterOf, type TextResponse, unavailable } from './failures.ts'

/** How a caller of this upstream proves itself; which of them applies, the dialect tells. */
export type AuthKind = 'none' | 'basic' | 'cookie' | 'key'

export interface Credentials {
  username: string
  password: string
}

export interface AuthHeaders {
  kind: AuthKind
  headers: Record<string, string>
}

interface LoginOptions {
  credentials: Credentials | undefined
  apiKey: string | undefined
  /** POSTs the credentials to upstream's login and gives the answer, whatever its status. */
  send(json: Credentials): Promise<TextResponse>
  now(): number
}

const maxLoginsPerMinute = 6
/** nginx's own 429 says nothing of when. */
const limitedSeconds = 60
/** After a refused password: five in a row would lock the account. */
const refusedSeconds = 120

export type Login = ReturnType<typeof createLogin>

/** The sessions of all accounts: each has its own cookie, logins and refused credentials. */
export function createLogin(options: LoginOptions) {
  const sessionOf = createPerAccount(() => createAccountLogin(options))
  return {
    pass: (account: UpstreamAccount, kind: AuthKind, signal: AbortSignal): Promise<AuthHeaders> =>
      sessionOf(account).pass(kind, signal),
    renew: (account: UpstreamAccount, used: AuthHeaders): boolean => sessionOf(account).renew(used),
  }
}

function createAccountLogin({ credentials, apiKey, send, now }: LoginOptions) {
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  /**
   * Means that upstream took back: a key that expired, Basic after an update. The cookie stands in
   * for them.
   */
  const spent = new Set<AuthKind>()
  let cookie: string | undefined
  let running: Promise<string> | undefined
  let logins: number[] = []
  let blocked: { untilMs: number; why: (leftSeconds: number) => Problem } | undefined

  async function logIn(): Promise<string> {
    if (!credentials)
      throw rejected('Presenton wants a login, and the gateway has no credentials for it.')
    const at = now()
    if (blocked && at < blocked.untilMs) throw blocked.why(Math.ceil((blocked.untilMs - at) / 1000))
    logins = logins.filter((time) => time > at - 60_000)
    if (logins.length >= maxLoginsPerMinute)
      throw unavailable(new Error('too many logins'), limitedSeconds)
    logins.push(at)
    const answer = await send(credentials)
    if (answer.status === 429) {
      const seconds = retryAfterOf(answer.headers, now()) ?? limitedSeconds
      blocked = {
        untilMs: now() + seconds * 1000,
        why: (left) => unavailable(new Error('login is limited'), left),
      }
      throw blocked.why(seconds)
    }
    if (answer.status === 401) {
      blocked = {
        untilMs: now() + refusedSeconds * 1000,
        why: () => rejected("The gateway's own login was refused."),
      }
      throw blocked.why(refusedSeconds)
    }
    const found = answer.status === 200 ? sessionCookieOf(answer.headers['set-cookie']) : undefined
    if (found === undefined) throw problemOf(answer, 'login', now())
    blocked = undefined
    cookie = found
    return found
  }

  /** One login for all who wait; it is nobody's own, so no caller's leaving ends it. */
  function session(signal: AbortSignal): Promise<string> {
    if (cookie !== undefined) return Promise.resolve(cookie)
    running ??= logIn().finally(() => {
      running = undefined
    })
    return raceSignal(running, signal)
  }

  return {
    /** The headers for a call; logs in where that needs a login and there is none yet. */
    async pass(kind: AuthKind, signal: AbortSignal): Promise<AuthHeaders> {
      if (kind === 'none') return { kind: 'none', headers: {} }
      if (kind === 'key' && apiKey !== undefined && !spent.has('key'))
        return { kind: 'key', headers: { authorization: `Bearer ${apiKey}` } }
      if (kind === 'basic' && basic !== undefined && !spent.has('basic'))
        return { kind: 'basic', headers: { authorization: basic } }
      return { kind: 'cookie', headers: { cookie: await session(signal) } }
    },

    /**
     * After a 401 to `used`: whether there is another pass to try, by a new login at the next
     * `pass`.
     */
    renew(used: AuthHeaders): boolean {
      if (used.kind === 'none' || !credentials) return false
      if (used.kind !== 'cookie') spent.add(used.kind)
      else if (used.headers.cookie === cookie) cookie = undefined
      return true
    },
  }
}

/**
 * `presenton_session=…` of a Set-Cookie header; nothing else that upstream may set is ever sent
 * back.
 */
function sessionCookieOf(header: string | string[] | undefined): string | undefined {
  for (const line of header === undefined ? [] : [header].flat()) {
    const pair = line.split(';', 1)[0]?.trim() ?? ''
    if (/^presenton_session=[^\s;,]+$/.test(pair)) return pair
  }
  return undefined
}
