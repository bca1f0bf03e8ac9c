// Our credentials at upstream: an API key, Basic, or the cookie of a login for the shared account,
// and the session of each user's account. No other header that could identify anyone is ever sent
// there.

import type { Problem } from '../domain/problem.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import {
  type AuthKind,
  type CallOptions,
  type Credentials,
  sharedAccount,
  type UpstreamAccount,
  type UserAccount,
} from './account.ts'
import { credentialTrouble, keyReplacedByLogin, noAccountSecret } from './credential-troubles.ts'
import { credentialsRefused, type ResponseCause, type TextResponse } from './failures.ts'
import { createLoginSession } from './login.ts'
import type { UserSessions } from './user-sessions.ts'

export interface AuthHeaders {
  kind: AuthKind
  headers: Record<string, string>
  /** Set if they are the session of a user's account. */
  user?: UserAccount
}

interface AuthOptions {
  credentials: Credentials | undefined
  apiKey: string | undefined
  /** POSTs the credentials to upstream's login. Resolves for any status below 500. */
  postLogin(credentials: Credentials): Promise<TextResponse>
  /** Undefined where users have no accounts of their own. */
  userSessions: UserSessions | undefined
  troubles: Pick<Troubles, 'report' | 'clear'>
  now(): number
}

interface UsedHeaders {
  account: UpstreamAccount
  used: AuthHeaders
}

export type Auth = ReturnType<typeof createAuth>

/**
 * Users' accounts have sessions; the shared account has a record of refused credentials as well.
 */
export function createAuth(options: AuthOptions) {
  const { userSessions, troubles } = options
  const shared = createSharedAuth(options)

  async function userHeaders(user: UserAccount, signal: AbortSignal): Promise<AuthHeaders> {
    if (!userSessions) {
      troubles.report('presenton', noAccountSecret)
      throw credentialsRefused(new Error('no secret for the accounts of users'))
    }
    const cookie = await userSessions.readCookie(user, signal)
    return { kind: 'cookie', headers: { cookie }, user }
  }

  return {
    /**
     * The headers for a call. Logs in if that is necessary. Where upstream has no users, all decks
     * belong to its one account.
     */
    headersFor: ({ account, signal, kind }: CallOptions & { kind: AuthKind }) =>
      account.kind === 'user' && (kind === 'cookie' || kind === 'key')
        ? userHeaders(account, signal)
        : shared.headersFor(kind, signal),

    /**
     * Before a paid call: whether upstream still accepts a user's session. After `false` the
     * headers are to be read again.
     */
    isGood: async (
      { user, headers: { cookie = '' } }: AuthHeaders,
      verify: (signal: AbortSignal) => Promise<'accepted' | 'refused' | 'unknown'>,
    ): Promise<boolean> => !user || !userSessions || userSessions.isGood(user, cookie, verify),

    /** After a refusal: whether there are others to try, which `headersFor` then returns. */
    renew({ used }: UsedHeaders): boolean {
      if (!used.user) return shared.renew(used)
      userSessions?.discard(used.user, used.headers.cookie ?? '')
      return true
    },

    /** Upstream has done what was asked with these headers. */
    accept({ used }: UsedHeaders): void {
      if (!used.user) shared.accept(used)
    },

    /**
     * No credentials of the account are accepted. Tells the operator; the Problem is for the run.
     */
    refuse: ({ used, cause }: UsedHeaders & { cause: ResponseCause }): Problem =>
      used.user ? credentialsRefused(cause) : shared.refuse(used, cause),

    /** Whether the account can do nothing until an operator fixes its credentials. */
    isRefused: (account: UpstreamAccount): boolean =>
      account.kind === sharedAccount.kind && shared.isRefused(),
  }
}

/** While a login replaces a key, the key is tried again after this time. */
const replacedMs = 300_000

function createSharedAuth({ credentials, apiKey, postLogin, troubles, now }: AuthOptions) {
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
