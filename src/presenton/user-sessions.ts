// The sessions of users' accounts, shared by all replicas through Postgres, where they are
// encrypted. One replica at a time logs an account in; the others wait for its session. A replica
// that dies in a login loses the right to it after some seconds.

import { randomUUID } from 'node:crypto'
import { raceSignal, sleep, waitAtMost } from '../async/signals.ts'
import type { Problem } from '../domain/problem.ts'
import { createTextSealer, deriveKey } from '../domain/sealed-text.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createPerAccount, type UserAccount } from './account.ts'
import { credentialsRefused, outage } from './failures.ts'
import type { LoginPlaces } from './login-queue.ts'
import { LoginRefused, type UserSession } from './user-login.ts'

/** Of the right to log in, renewed three times as often. */
const rightSeconds = 15
const pollMs = 500
/** Runs wait again after it; other callers get a time to come back. The login goes on. */
const maxWaitMs = 120_000
const retrySeconds = 15
/** A session is verified before a paid call, but not more often than this. */
const verifiedMs = 60_000

export interface StoredAccount {
  upstreamId: string | null
  session: string | null
  verifiedMs: number | null
  blockedMs: number
}

/** What the sessions need of Postgres; `database/upstream-accounts.ts` has it. */
export interface AccountStore extends LoginPlaces {
  read(name: string): Promise<StoredAccount | undefined>
  takeLogin(
    login: LoginRight & { userId: string; seconds: number },
  ): Promise<StoredAccount | undefined>
  keepLogin(login: LoginRight & { seconds: number }): Promise<boolean>
  finishLogin(login: LoginRight & { session: string; upstreamId: string | null }): Promise<void>
  abandonLogin(login: LoginRight & { isRefused: boolean }): Promise<void>
  noteVerified(session: { name: string; session: string }): Promise<void>
}

interface LoginRight {
  name: string
  token: string
}

export interface UserSessionsOptions {
  secret: string
  store: AccountStore
  logIn(
    account: UserAccount,
    options: { isKnown: boolean; signal: AbortSignal },
  ): Promise<UserSession>
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
  now(): number
}

interface State {
  cookie?: string | undefined
  /** As it is stored. */
  sealed?: string | undefined
  /** Upstream did not accept it. */
  refused?: string | undefined
  verifiedAtMs: number
  pending?: Promise<string> | undefined
  verifying?: Promise<boolean> | undefined
}

export type UserSessions = ReturnType<typeof createUserSessions>

export function createUserSessions(options: UserSessionsOptions) {
  const { secret, logIn, closing, logger, now } = options
  const sealer = createTextSealer(deriveKey(secret, 'presenton-gateway upstream sessions'))
  const store = withoutDatabase(options.store)
  const stateOf = createPerAccount((): State => ({ verifiedAtMs: Number.NEGATIVE_INFINITY }))

  /** The stored session; undefined if there is none, or none that this secret opens. */
  function open(name: string, { session }: StoredAccount): string | undefined {
    try {
      return session === null ? undefined : sealer.open(session, name)
    } catch {
      return undefined
    }
  }

  function use(state: State, name: string, stored: StoredAccount): string | undefined {
    const cookie = open(name, stored)
    if (cookie === undefined || cookie === state.refused) return undefined
    const { session, verifiedMs: agoMs } = stored
    const verifiedAtMs = agoMs === null ? Number.NEGATIVE_INFINITY : now() - agoMs
    Object.assign(state, { cookie, sealed: session, verifiedAtMs })
    return cookie
  }

  async function obtain(account: UserAccount, state: State): Promise<string> {
    const { name, userId } = account
    for (;;) {
      const stored = await store.read(name)
      const known = stored && use(state, name, stored)
      if (known !== undefined) return known
      if (stored && stored.blockedMs > 0) throw blocked(stored)
      const right = { name, token: randomUUID() }
      const taken = await store.takeLogin({ ...right, userId, seconds: rightSeconds })
      if (taken) return logInWithRight(account, state, { right, taken })
      await sleep(pollMs, closing)
    }
  }

  async function logInWithRight(
    account: UserAccount,
    state: State,
    { right, taken }: { right: LoginRight; taken: StoredAccount },
  ): Promise<string> {
    const { name } = account
    const lost = new AbortController()
    const renewal = setInterval(
      async () => {
        const isKept = await store.keepLogin({ ...right, seconds: rightSeconds }).catch(() => true)
        if (!isKept) lost.abort(outage(new Error('another replica took over a login')))
      },
      (rightSeconds * 1000) / 3,
    )
    let isFinished = false
    let isRefused = false
    try {
      // Between the read and the right another replica may have finished its login.
      const found = use(state, name, taken)
      if (found !== undefined) return found
      const isKnown = taken.upstreamId !== null
      const signal = AbortSignal.any([closing, lost.signal])
      const { cookie, upstreamId } = await logIn(account, { isKnown, signal })
      const session = sealer.seal(cookie, name)
      await store.finishLogin({ ...right, session, upstreamId })
      isFinished = true
      Object.assign(state, { cookie, sealed: session, verifiedAtMs: now() })
      return cookie
    } catch (error) {
      if (!(error instanceof LoginRefused)) throw error
      isRefused = true
      logger.warn({ err: error }, 'Presenton refuses the login of a user, also with a new password')
      throw error.cause
    } finally {
      clearInterval(renewal)
      if (!isFinished) await store.abandonLogin({ ...right, isRefused }).catch(() => undefined)
    }
  }

  /** Concurrent callers share one login, which goes on when one of them leaves. */
  async function readCookie(account: UserAccount, signal: AbortSignal): Promise<string> {
    const state = stateOf(account)
    if (state.cookie !== undefined) return state.cookie
    state.pending ??= obtain(account, state).finally(() => {
      state.pending = undefined
    })
    const { pending } = state
    await raceSignal(waitAtMost(maxWaitMs, pending), signal)
    if (state.cookie === undefined && state.pending === pending)
      throw outage(new Error('a login waits for its turn'), retrySeconds)
    return pending
  }

  return {
    readCookie,

    /** Upstream does not accept this session. A newer one stays. */
    discard(account: UserAccount, cookie: string): void {
      const state = stateOf(account)
      if (state.cookie !== cookie) return
      Object.assign(state, { cookie: undefined, sealed: undefined, refused: cookie })
    },

    /**
     * Before a paid call: whether upstream accepts the session, asked at most once a minute for all
     * replicas. After `false` the session is discarded.
     */
    async isGood(
      account: UserAccount,
      cookie: string,
      verify: (signal: AbortSignal) => Promise<'accepted' | 'refused' | 'unknown'>,
    ): Promise<boolean> {
      const state = stateOf(account)
      if (state.cookie !== cookie) return false
      if (now() - state.verifiedAtMs < verifiedMs) return true
      state.verifying ??= verifyOnce(account, state, verify).finally(() => {
        state.verifying = undefined
      })
      return state.verifying
    },

    /** Upstream's id of the account, which its paths contain; null before the first login. */
    readUpstreamId: async ({ name }: UserAccount): Promise<string | null> =>
      (await store.read(name))?.upstreamId ?? null,
  }

  async function verifyOnce(
    { name }: UserAccount,
    state: State,
    verify: (signal: AbortSignal) => Promise<'accepted' | 'refused' | 'unknown'>,
  ): Promise<boolean> {
    const { cookie, sealed = '' } = state
    const stored = await store.read(name)
    // Another replica has verified it, or has a newer one.
    if (stored && stored.verifiedMs !== null && stored.verifiedMs < verifiedMs) {
      use(state, name, stored)
      return state.cookie === cookie
    }
    const verdict = await verify(closing)
    if (verdict === 'refused') {
      Object.assign(state, { cookie: undefined, sealed: undefined, refused: cookie })
      return false
    }
    if (verdict === 'accepted') {
      await store.noteVerified({ name, session: sealed })
      state.verifiedAtMs = now()
    }
    return true
  }
}

const blocked = ({ blockedMs }: StoredAccount): Problem =>
  credentialsRefused(new Error('the latest login was refused'), Math.ceil(blockedMs / 1000))

/** While the database is away no session can be read: that is waited for, like Presenton itself. */
function withoutDatabase(store: AccountStore): AccountStore {
  const wait = (error: unknown) => {
    throw outage(error)
  }
  return {
    read: (name) => store.read(name).catch(wait),
    takeLogin: (login) => store.takeLogin(login).catch(wait),
    keepLogin: (login) => store.keepLogin(login).catch(wait),
    finishLogin: (login) => store.finishLogin(login).catch(wait),
    abandonLogin: (login) => store.abandonLogin(login).catch(wait),
    noteVerified: (session) => store.noteVerified(session).catch(wait),
    takeLoginPlace: (rate) => store.takeLoginPlace(rate).catch(wait),
    noteLoginLimit: (found) => store.noteLoginLimit(found).catch(wait),
  }
}
