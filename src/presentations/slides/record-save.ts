// What the database records of a save: the intent before upstream is asked, with the slides that it
// may add, and the change once upstream has written it.

import type { Database } from '../../database/connection.ts'
import { finishChangeAtOnce, lockLease } from '../../database/deck-changes.ts'
import { reserveSlides } from '../../database/ledger.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import { lockAdmission } from '../statements/insert.ts'
import { updateTitle } from '../statements/transitions.ts'
import { deckLockLost, type HeldDeck } from './deck-locks.ts'
import type { PlannedSave, Saved } from './plan-save.ts'
import { recordChange } from './record-change.ts'
import type { CheckedSave } from './write-save.ts'

export interface RecordSaveOptions {
  database: Pick<Database, 'query' | 'transaction'>
  quotas: Quotas
}

export function createRecordSave({ database, quotas }: RecordSaveOptions) {
  return {
    /** @throws Problem QUOTA_EXHAUSTED */
    async noteIntent(deck: HeldDeck, { grownTo }: PlannedSave): Promise<void> {
      if (grownTo === undefined) return deck.noteIntent()
      await database.transaction(async (client) => {
        await client.query(lockAdmission)
        const { userId, id } = deck
        await reserveSlides(client, { userId, presentationId: id, slides: grownTo }, quotas)
        await deck.noteIntent(client)
      })
    },

    /** Returns the new revision, and ends the lock. */
    async finishSave(
      deck: HeldDeck,
      { known, planned, images }: CheckedSave,
      { ids, digests }: Saved,
      title: string | undefined,
    ): Promise<number> {
      const { id, lock } = deck
      const { slideCount, isOtherTheme } = planned
      const change = {
        digests,
        digestsBefore: known.digests,
        isOtherTheme,
        slideCount: slideCount && ids.length,
      }
      const settledSlides = slideCount === undefined ? undefined : ids.length
      if (settledSlides === undefined && images.length === 0 && title === undefined) {
        const revision = await finishChangeAtOnce(database, lock, change)
        if (revision === undefined) throw deckLockLost()
        return revision
      }
      return database.transaction(async (client) => {
        if (!(await lockLease(client, id))) throw new Problem('NOT_FOUND')
        const revision = await recordChange(client, deck, { ...change, settledSlides, images })
        if (title !== undefined) await updateTitle(client, { id, title })
        return revision
      })
    },
  }
}
