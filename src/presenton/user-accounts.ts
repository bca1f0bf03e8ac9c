// Puts together what gives users accounts of their own: the queue of logins, the administrator who
// makes accounts, and the sessions. And which account a user's new deck will belong to.

import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import type { Credentials } from './account.ts'
import { accountOfUser, sharedAccount, type UpstreamAccount, type UserAccount } from './account.ts'
import type { AccountStore } from './account-store.ts'
import type { Calls } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import type { TextResponse } from './failures.ts'
import { createLoginQueue } from './login-queue.ts'
import type { Probe } from './probe.ts'
import type { Requests } from './requests.ts'
import { createUserAdmin } from './user-admin.ts'
import { createUserLogin } from './user-login.ts'
import { createUserSessions, type UserSessions } from './user-sessions.ts'

export interface UserAccountsOptions {
  /** Passwords are derived from it, and sessions encrypted with it. */
  secret: string
  store: AccountStore
  /** False: no new deck gets an account, and decks that have one are still served under it. */
  isEnabled: boolean
  /** Of logins; by default a little below the ten a minute of upstream's nginx. */
  loginRate?: { intervalMs: number; burst: number } | undefined
}

interface Dependencies {
  users: UserAccountsOptions | undefined
  requests: Requests
  calls: () => Calls
  postLogin(credentials: Credentials): Promise<TextResponse>
  timeoutMs: number
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
  troubles: Pick<Troubles, 'report' | 'clear'>
  now(): number
}

/** The sessions, if users have accounts, and the login of the shared account, which queues too. */
export function createUserAccounts({ users, requests, postLogin, ...rest }: Dependencies) {
  if (!users) return { sessions: undefined, postLogin }
  const { secret, store, loginRate: rate } = users
  const { timeoutMs, closing } = rest
  const queue = createLoginQueue({
    places: store,
    rate,
    closing,
    async isLimitReached() {
      const request = { routeKind: 'login', path: paths.login, timeoutMs, signal: closing } as const
      return (await requests.fetchHeadUncounted(request)).status === 429
    },
  })
  const admin = createUserAdmin(rest)
  const logIn = createUserLogin({ secret, queue, admin, postLogin, now: rest.now })
  return {
    sessions: createUserSessions({ ...rest, secret, store, logIn }),
    async postLogin(credentials: Credentials): Promise<TextResponse> {
      await queue.wait(closing)
      return postLogin(credentials)
    },
  }
}

interface AccountChoiceOptions {
  users: UserAccountsOptions | undefined
  sessions: UserSessions | undefined
  probe: Probe
  calls: Calls
}

export function createAccountChoice({ users, sessions, probe, calls }: AccountChoiceOptions) {
  const choose = (userId: string, features: Features | undefined): UpstreamAccount =>
    users?.isEnabled && features?.hasUsers ? accountOfUser(userId) : sharedAccount

  return {
    /**
     * The account for what belongs to no deck, and for the user's next deck: their own if upstream
     * has users, otherwise the shared one.
     */
    accountFor: async (userId: string, signal: AbortSignal): Promise<UpstreamAccount> =>
      choose(userId, users?.isEnabled ? await probe.read(signal) : undefined),

    /** The same as far as the version is known. Sends nothing. */
    knownAccountFor: (userId: string): UpstreamAccount => choose(userId, probe.known()),

    /** Whether users shall have accounts of their own, and upstream has none for them. */
    lacksUsers: (): boolean => users?.isEnabled === true && probe.known()?.hasUsers === false,

    /**
     * The session of a user's account for a request that is passed on: its cookie, verified if the
     * request is paid. Logs in if that is necessary.
     */
    async readSession({
      account,
      signal,
      isPaid = false,
    }: {
      account: UserAccount
      signal: AbortSignal
      isPaid?: boolean
    }): Promise<{ cookie: string }> {
      const call = { account, signal, auth: 'cookie', isPaid } as const
      const { cookie = '' } = (await calls.goodHeaders(call)).headers
      return { cookie }
    },

    /** Upstream has refused this cookie; the next request logs in again. */
    discardSession: (account: UserAccount, cookie: string): void =>
      sessions?.discard(account, cookie),

    /** Upstream's id of the account, which its paths contain; null before the first login. */
    readUpstreamId: async (account: UserAccount): Promise<string | null> =>
      (await sessions?.readUpstreamId(account)) ?? null,
  }
}
