// Which images below /app_data/images a user may put into a deck: those that occur in their slides,
// and those that upstream keeps for the account of the deck.

import type { Queryable } from '../../database/connection.ts'
import { findOwnedImages } from '../../database/images.ts'
import { accountNameOf, accountOfUser } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'

export interface OwnImagesOptions {
  database: Queryable
  presenton: Pick<Presenton, 'readUpstreamId'>
}

/** Whether an image is the user's in a deck of this account; null is the shared one. */
export type IsOwnImage = (path: string, account: string | null) => boolean

export type FindOwn = ReturnType<typeof createFindOwn>

export function createFindOwn({ database, presenton }: OwnImagesOptions) {
  /** Asks nothing for no path. */
  return async function findOwn(userId: string, paths: string[]): Promise<IsOwnImage> {
    if (paths.length === 0) return () => false
    const user = accountOfUser(userId)
    const [owned, upstreamId] = await Promise.all([
      findOwnedImages(database, { userId, paths }),
      presenton.readUpstreamId(user),
    ])
    const folder = upstreamId === null ? undefined : `/app_data/images/users/${upstreamId}/`
    return (path, account) =>
      owned.has(path) ||
      (folder !== undefined && account === accountNameOf(user) && path.startsWith(folder))
  }
}
