// Under which account in Presenton an image of a user's slides is read.

import type { Queryable } from '../database/connection.ts'
import { findImageAccounts } from '../database/images.ts'
import { accountOfRow, accountOfUser, type UpstreamAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'

interface FindAccountOptions {
  database: Queryable
  presenton: Pick<Presenton, 'readUpstreamId'>
}

export function createFindAccount({ database, presenton }: FindAccountOptions) {
  /** Undefined for what the user's slides do not name. */
  return async function findAccount(image: {
    userId: string
    path: string
  }): Promise<UpstreamAccount | undefined> {
    const { userId, path } = image
    const accounts = await findImageAccounts(database, image)
    const [account, ...others] = accounts
    if (account === undefined) return undefined
    if (others.length === 0) return accountOfRow({ userId, account })
    // Decks of two accounts name it: the path says whose it is.
    const own = accountOfUser(userId)
    const upstreamId = await presenton.readUpstreamId(own)
    const isOwn = upstreamId !== null && path.startsWith(`/app_data/images/users/${upstreamId}/`)
    return isOwn ? own : accountOfRow({ userId, account: null })
  }
}
