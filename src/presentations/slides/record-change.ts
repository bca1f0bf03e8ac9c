// What the database records of a deck that has changed, in the transaction that ends the change.

import type { Queryable } from '../../database/connection.ts'
import { type FinishedChange, finishChange } from '../../database/deck-changes.ts'
import { recordImages } from '../../database/images.ts'
import { settleSlides } from '../../database/ledger.ts'
import { deckLockLost, type HeldDeck } from './deck-locks.ts'

export interface RecordedChange extends FinishedChange {
  /** Slides that the presentation has from now on; undefined: as many as were reserved for it. */
  settledSlides: number | undefined
  /** Paths that the user may read from now on. */
  images: string[]
}

/** Returns the new revision. Ends the lock. @throws Problem CONFLICT: the lock was lost */
export async function recordChange(
  client: Queryable,
  { id, userId, lock }: Pick<HeldDeck, 'id' | 'userId' | 'lock'>,
  { settledSlides, images, ...change }: RecordedChange,
): Promise<number> {
  const revision = await finishChange(client, lock, change)
  if (revision === undefined) throw deckLockLost()
  const statements = [
    ...(settledSlides === undefined ? [] : [settleSlides(settledSlides)]),
    ...(images.length === 0 ? [] : [recordImages(userId, images)]),
  ]
  for (const { text, values } of statements) await client.query(text, [id, ...values])
  return revision
}
