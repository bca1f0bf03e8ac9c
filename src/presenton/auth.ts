// Our credentials at upstream: an API key, Basic, or the cookie of a login that all calls of an
// account share. No other header that could identify anyone is ever sent there.

import { type CallOptions, createPerAccount, type UpstreamAccount } from './account.ts'
import type { TextResponse } from './failures.ts'
import { createLoginSession } from './login.ts'

/** How upstream wants to be authenticated; see `authKindOf` for the choice. */
export type AuthKind = 'none' | 'basic' | 'cookie' | 'key'

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
  now(): number
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

    /** After a 401: whether there are other credentials to try, which `headersFor` then returns. */
    renew: ({ account, used }: { account: UpstreamAccount; used: AuthHeaders }): boolean =>
      authOf(account).renew(used),
  }
}

function createAccountAuth({ credentials, apiKey, postLogin, now }: AuthOptions) {
  const session = createLoginSession({ credentials, postLogin, now })
  const basic =
    credentials &&
    `Basic ${Buffer.from(`${credentials.username}:${credentials.password}`).toString('base64')}`
  /** No longer accepted, such as an expired key or Basic after an update. A login replaces it. */
  const refused = new Set<AuthKind>()

  return {
    async headersFor(kind: AuthKind, signal: AbortSignal): Promise<AuthHeaders> {
      if (kind === 'none') return { kind, headers: {} }
      if (kind === 'key' && apiKey !== undefined && !refused.has(kind))
        return { kind, headers: { authorization: `Bearer ${apiKey}` } }
      if (kind === 'basic' && basic !== undefined && !refused.has(kind))
        return { kind, headers: { authorization: basic } }
      return { kind: 'cookie', headers: { cookie: await session.readCookie(signal) } }
    },

    renew({ kind, headers }: AuthHeaders): boolean {
      if (kind === 'none' || !credentials) return false
      if (kind === 'cookie') session.discard(headers.cookie)
      else refused.add(kind)
      return true
    },
  }
}
