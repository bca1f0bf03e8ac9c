// The finished deck as `complete` events show it, when the deck has changed since it was stored,
// and the end of a run that makes no file.

import { findChangedRevision, findFinishedDeck, recordFinishedDeck } from '../database/decks.ts'
import type { Context } from './context.ts'

/** The deck that is exported may have changed since it was finished. */
export async function refreshFinishedDeck(context: Context, deckId: string): Promise<void> {
  const { presenton, account, signal, database } = context
  const revision = await findChangedRevision(database, deckId)
  if (revision === undefined) return
  const { presentation } = await presenton.readDeck({ account, signal, deckId })
  await context.checkpoint(
    {},
    { extraStatements: [recordFinishedDeck(deckId, presentation, revision)] },
  )
}

/** Ends a run well that has no file to store. */
export async function completeWithoutFile(context: Context): Promise<void> {
  const { run, database, endRun, log } = context
  const deck = (run.deckId && (await findFinishedDeck(database, run.deckId))) || {}
  await log.commit(endRun(run, { outcome: 'completed', deck }))
}
