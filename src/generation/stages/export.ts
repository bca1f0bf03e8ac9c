// Stage export: upstream renders the deck into a file. It is repeated alone: nothing is generated.

import { findChangedRevision, recordFinishedDeck } from '../../database/decks.ts'
import type { Context } from '../context.ts'
import { deckTitles } from '../deck-title.ts'

export async function exportDeck(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { deckId, runFormat: format } = run
  if (!deckId) throw new Error('An export needs a deck.')
  if (run.runKind === 'export') await refreshFinishedDeck(context, deckId)
  // New titles for each attempt: an abandoned export still writes its file later.
  const deck = { deckId, ...deckTitles(run), isFurther: run.runKind === 'export' }
  const { path } = await presenton.exportDeck({ account, signal, format, ...deck })
  await context.checkpoint({ exportPath: path })
}

/** The deck may have changed since it was finished; `complete` shows the one that is exported. */
async function refreshFinishedDeck(context: Context, deckId: string): Promise<void> {
  const { presenton, account, signal, database } = context
  const revision = await findChangedRevision(database, deckId)
  if (revision === undefined) return
  const { presentation } = await presenton.readDeck({ account, signal, deckId })
  await context.checkpoint(
    {},
    { extraStatements: [recordFinishedDeck(deckId, presentation, revision)] },
  )
}
