// Stage export: upstream renders the deck into a file. It is repeated alone: nothing is generated.

import type { Context } from '../context.ts'
import { deckTitles } from '../deck-title.ts'

export async function exportDeck(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { deckId, runFormat: format } = run
  if (!deckId) throw new Error('An export needs a deck.')
  // New titles for each attempt: an abandoned export still writes its file later.
  const deck = { deckId, ...deckTitles(run), isFurther: run.runKind === 'export' }
  const { path } = await presenton.exportDeck({ account, signal, format, ...deck })
  await context.checkpoint({ exportPath: path })
}
