// What the sessions of users' accounts need of Postgres; `database/upstream-accounts.ts` has it.

import { outage } from './failures.ts'
import type { LoginPlaces } from './login-queue.ts'

export interface StoredAccount {
  upstreamId: string | null
  session: string | null
  verifiedMs: number | null
  blockedMs: number
}

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

export interface LoginRight {
  name: string
  token: string
}

/** While the database is away no session can be read: that is waited for, like Presenton itself. */
export function asOutages(store: AccountStore): AccountStore {
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
