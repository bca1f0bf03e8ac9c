// The sessions of users' accounts, shared by all replicas through Postgres, where they are
// encrypted. One replica at a time logs an account in; the others wait for its session.

import { raceSignal, waitAtMost } from '../async/signals.ts'
import { createPerAccount, type UserAccount } from './account.ts'
import { asOutages } from './account-store.ts'
import { outage } from './failures.ts'
import {
  createObtainSession,
  type ObtainSessionOptions,
  type SessionState,
} from './obtain-session.ts'

/** Runs wait again after it; other callers get a time to come back. The login goes on. */
const maxWaitMs = 120_000
const retrySeconds = 15
/** A session is verified before a paid call, but not more often than this. */
const verifiedMs = 60_000

export type UserSessions = ReturnType<typeof createUserSessions>

export function createUserSessions(options: ObtainSessionOptions) {
  const { closing, now } = options
  const store = asOutages(options.store)
  const { obtainSession, useStored } = createObtainSession({ ...options, store })
  const stateOf = createPerAccount((): SessionState => ({ verifiedAtMs: Number.NEGATIVE_INFINITY }))

  /** Concurrent callers share one login, which goes on when one of them leaves. */
  async function readCookie(account: UserAccount, signal: AbortSignal): Promise<string> {
    const state = stateOf(account)
    if (state.cookie !== undefined) return state.cookie
    state.pending ??= obtainSession(account, state).finally(() => {
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
      if (state.cookie === cookie) forget(state, cookie)
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
    state: SessionState,
    verify: (signal: AbortSignal) => Promise<'accepted' | 'refused' | 'unknown'>,
  ): Promise<boolean> {
    const { cookie, sealed = '' } = state
    const stored = await store.read(name)
    // Another replica has verified it, or has a newer one.
    if (stored && stored.verifiedMs !== null && stored.verifiedMs < verifiedMs) {
      useStored(state, name, stored)
      return state.cookie === cookie
    }
    const verdict = await verify(closing)
    if (verdict === 'refused') {
      forget(state, cookie)
      return false
    }
    if (verdict === 'accepted') {
      await store.noteVerified({ name, session: sealed })
      state.verifiedAtMs = now()
    }
    return true
  }
}

/** The stored session is not used again, either. */
function forget(state: SessionState, refused: string | undefined): void {
  Object.assign(state, { cookie: undefined, sealed: undefined, refused })
}
