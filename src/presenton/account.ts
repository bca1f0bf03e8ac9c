// The account at Presenton that a call acts for. Today there is one, which all users share.

export type UpstreamAccount = { kind: 'shared' }

export const sharedAccount: UpstreamAccount = { kind: 'shared' }

/** How upstream wants to be authenticated; see `authKindOf` for the choice. */
export type AuthKind = 'none' | 'basic' | 'cookie' | 'key'

/** What the options of every call contain. */
export interface CallOptions {
  account: UpstreamAccount
  /** Ends the call, which then rejects with the signal's reason. */
  signal: AbortSignal
}

/** The key under which an account's state is kept. */
const keyOf = ({ kind }: UpstreamAccount): string => kind

/** Returns the state of an account; `create` runs when an account is first seen. */
export function createPerAccount<State>(
  create: (account: UpstreamAccount) => State,
): (account: UpstreamAccount) => State {
  const states = new Map<string, State>()
  return (account) => {
    const known = states.get(keyOf(account))
    if (known !== undefined) return known
    const state = create(account)
    states.set(keyOf(account), state)
    return state
  }
}
