// Stage export: upstream renders the deck into a file. It is repeated alone: nothing is generated.

import type { Context } from '../context.ts'
import { deckTitle } from '../deck-title.ts'

export async function exportDeck(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { deckId, runFormat: format } = run
  if (!deckId) throw new Error('An export needs a deck.')
  // A new name for each attempt: an abandoned export still writes its file later.
  const title = deckTitle(run)
  const { path } = await presenton.exportDeck({ account, signal, deckId, format, title })
  await context.checkpoint({ exportPath: path })
}
