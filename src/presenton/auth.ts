// Our credentials at upstream: an API key, Basic, or the cookie of a login that all calls of an
// account share. No other header that could identify anyone is ever sent there.

import type { Problem } from '../domain/problem.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import {
  type AuthKind,
  type CallOptions,
  createPerAccount,
  type UpstreamAccount,
} from './account.ts'
import { credentialTrouble, keyReplacedByLogin } from './credential-troubles.ts'
import { credentialsRefused, type ResponseCause, type TextResponse } from './failures.ts'
import { createLoginSession } from './login.ts'

export interface Credentials {
  username: string
  password: string
}

export interface AuthHeaders {
  kind: AuthKind
  headers: Record<string, string>
}

interface AuthOptions {
  credentials: Credentials | undefined
  apiKey: string | undefined
  /** POSTs the credentials to upstream's login. Resolves for any status below 500. */
  postLogin(credentials: Credentials): Promise<TextResponse>
  troubles: Pick<Troubles, 'report' | 'clear'>
  now(): number
}

interface UsedHeaders {
  account: UpstreamAccount
  used: AuthHeaders
}

export type Auth = ReturnType<typeof createAuth>

/** Each account has its own session and its own record of refused credentials. */
export function createAuth(options: AuthOptions) {
  const authOf = createPerAccount(() => createAccountAuth(options))
  return {
    /** The headers for a call. Logs in if that is necessary. */
    headersFor: ({
      account,
      signal,
      kind,
    }: CallOptions & { kind: AuthKind }): Promise<AuthHeaders> =>
      authOf(account).headersFor(kind, signal),

    /** After a refusal: whether there are others to try, which `headersFor` then returns. */
    renew: ({ account, used }: UsedHeaders): boolean => authOf(account).renew(used),

    /** Upstream has done what was asked with these headers. */
    accept: ({ account, used }: UsedHeaders): void => authOf(account).accept(used),

    /** No credentials of the account are accepted. Tells the operator; the Problem is for the run. */
    refuse: ({ account, used, cause }: UsedHeaders & { cause: ResponseCause }): Problem =>
      authOf(account).refuse(used, cause),

    /** Whether the account can do nothing until an operator fixes its credentials. */
    isRefused: (account: UpstreamAccount): boolean => authOf(account).isRefused(),
  }
}

/** While a login replaces a key, the key is tried again after this time. */
const replacedMs = 300_000

function createAccountAuth({ credentials, apiKey, postLogin, troubles, now }: AuthOptions) {
  let state: 'accepted' | 'replaced' | 'refused' = 'accepted'
  const session = createLoginSession({
    credentials,
    postLogin,
    now,
    onRefused: (status) => report('cookie', status),
  })
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  /** When they were refused, such as an expired key or Basic after an update. */
  const refusedAtMs = new Map<AuthKind, number>()

  /** A login replaces what was refused, while one is possible. */
  function mayUse(kind: AuthKind): boolean {
    const refusedMs = refusedAtMs.get(kind)
    if (refusedMs === undefined || !credentials || session.isBlocked()) return true
    return now() - refusedMs >= replacedMs
  }

  function report(kind: AuthKind, status: number): void {
    state = 'refused'
    const has = { hasApiKey: apiKey !== undefined, hasLogin: credentials !== undefined }
    troubles.report('presenton', credentialTrouble({ kind, status, ...has }))
  }

  return {
    async headersFor(kind: AuthKind, signal: AbortSignal): Promise<AuthHeaders> {
      if (kind === 'none') return { kind, headers: {} }
      if (kind === 'key' && apiKey !== undefined && mayUse(kind))
        return { kind, headers: { authorization: `Bearer ${apiKey}` } }
      if (kind === 'basic' && basic !== undefined && mayUse(kind))
        return { kind, headers: { authorization: basic } }
      return { kind: 'cookie', headers: { cookie: await session.readCookie(signal) } }
    },

    renew({ kind, headers }: AuthHeaders): boolean {
      if (kind === 'cookie') {
        session.discard(headers.cookie)
        // Also while no login is possible: the next one then says why.
        return true
      }
      refusedAtMs.set(kind, now())
      return kind !== 'none' && credentials !== undefined && !session.isBlocked()
    },

    accept({ kind }: AuthHeaders): void {
      refusedAtMs.delete(kind)
      const next = kind === 'cookie' && refusedAtMs.has('key') ? 'replaced' : 'accepted'
      if (next === state) return
      state = next
      troubles.clear('presenton', 'access_denied')
      if (next === 'replaced') troubles.report('presenton', keyReplacedByLogin)
      else troubles.clear('presenton', 'credentials_refused')
    },

    refuse({ kind }: AuthHeaders, cause: ResponseCause): Problem {
      report(kind, cause.status)
      return credentialsRefused(cause)
    },

    isRefused: () => state === 'refused',
  }
}
