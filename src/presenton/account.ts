// The account at Presenton that a call acts for: one that all users share, or one for each user.

import { createHash, createHmac } from 'node:crypto'
import { setNewest } from '../domain/bounded-map.ts'

export interface SharedAccount {
  kind: 'shared'
}

export interface UserAccount {
  kind: 'user'
  /** Of the account in Presenton. */
  name: string
  /** The `sub` of the user's tokens. */
  userId: string
}

export type UpstreamAccount = SharedAccount | UserAccount

export const sharedAccount: SharedAccount = { kind: 'shared' }

const nameHexDigits = 40

/** The name cannot be turned back into the user, and takes any `sub`. */
export function accountOfUser(userId: string): UserAccount {
  const digest = createHash('sha256').update(userId).digest('hex')
  return { kind: 'user', name: `u-${digest.slice(0, nameHexDigits)}`, userId }
}

/** What rows note of a deck's owner. */
export const accountNameOf = (account: UpstreamAccount): string | null =>
  account.kind === 'user' ? account.name : null

/** The account under which a deck is served: the one that its row notes. */
export const accountOfRow = ({
  userId,
  account,
}: {
  userId: string
  account: string | null
}): UpstreamAccount => (account === null ? sharedAccount : accountOfUser(userId))

/** Every replica derives the same password, so none is stored. */
export function passwordOf({ userId }: UserAccount, secret: string): string {
  return createHmac('sha256', secret).update(userId).digest('hex')
}

/** A name and a password at upstream. */
export interface Credentials {
  username: string
  password: string
}

/** How upstream wants to be authenticated; see `authKindOf` for the choice. */
export type AuthKind = 'none' | 'basic' | 'cookie' | 'key'

/** What the options of every call contain. */
export interface CallOptions {
  account: UpstreamAccount
  /** Ends the call, which then rejects with the signal's reason. */
  signal: AbortSignal
}

/** The key under which an account's state is kept. */
const keyOf = (account: UpstreamAccount): string =>
  account.kind === 'user' ? account.name : account.kind

/** Of the users who were seen last. */
const maxUserStates = 1_000

/** Returns the state of an account; `create` runs when an account is first seen. */
export function createPerAccount<State>(
  create: (account: UpstreamAccount) => State,
): (account: UpstreamAccount) => State {
  const states = new Map<string, State>()
  return (account) => {
    const key = keyOf(account)
    const state = states.get(key) ?? create(account)
    setNewest(states, key, state, maxUserStates)
    return state
  }
}
