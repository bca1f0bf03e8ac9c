// Obtains the session of a user's account: the stored one, or that of a new login, for which a
// replica needs the right. A replica that dies in a login loses the right after some seconds.

import { randomUUID } from 'node:crypto'
import { sleep } from '../async/signals.ts'
import type { Problem } from '../domain/problem.ts'
import { createTextSealer, deriveKey } from '../domain/sealed-text.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { UserAccount } from './account.ts'
import type { AccountStore, LoginRight, StoredAccount } from './account-store.ts'
import { credentialsRefused, outage } from './failures.ts'
import { LoginRefused, type UserSession } from './user-login.ts'

/** Of the right to log in, renewed three times as often. */
const rightSeconds = 15
const pollMs = 500

/** What this process knows of the session of an account. */
export interface SessionState {
  cookie?: string | undefined
  /** As it is stored. */
  sealed?: string | undefined
  /** Upstream did not accept it. */
  refused?: string | undefined
  verifiedAtMs: number
  pending?: Promise<string> | undefined
  verifying?: Promise<boolean> | undefined
}

export interface ObtainSessionOptions {
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

export function createObtainSession(options: ObtainSessionOptions) {
  const { secret, store, logIn, closing, logger, now } = options
  const sealer = createTextSealer(deriveKey(secret, 'presenton-gateway upstream sessions'))

  /** The stored session; undefined if there is none, or none that this secret opens. */
  function open(name: string, { session }: StoredAccount): string | undefined {
    try {
      return session === null ? undefined : sealer.open(session, name)
    } catch {
      return undefined
    }
  }

  function use(state: SessionState, name: string, stored: StoredAccount): string | undefined {
    const cookie = open(name, stored)
    if (cookie === undefined || cookie === state.refused) return undefined
    const { session, verifiedMs: agoMs } = stored
    const verifiedAtMs = agoMs === null ? Number.NEGATIVE_INFINITY : now() - agoMs
    Object.assign(state, { cookie, sealed: session, verifiedAtMs })
    return cookie
  }

  async function obtainSession(account: UserAccount, state: SessionState): Promise<string> {
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
    state: SessionState,
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

  return {
    obtainSession,
    /** Takes over a stored session; undefined if there is none that can be used. */
    useStored: use,
  }
}

const blocked = ({ blockedMs }: StoredAccount): Problem =>
  credentialsRefused(new Error('the latest login was refused'), Math.ceil(blockedMs / 1000))
