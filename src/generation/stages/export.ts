// Stage export: upstream renders the deck into a file. It is repeated alone: nothing is generated.

import type { Context } from '../context.ts'
import { deckTitles } from '../deck-title.ts'
import { refreshFinishedDeck } from '../finished-deck.ts'
import { makesSlides } from '../run-state.ts'

export async function exportDeck(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { deckId, runFormat: format } = run
  if (!deckId) throw new Error('An export needs a deck.')
  if (!makesSlides(run)) await refreshFinishedDeck(context, deckId)
  // New titles for each attempt: an abandoned export still writes its file later.
  const deck = { deckId, ...deckTitles(run), isFurther: !makesSlides(run) }
  const { path } = await presenton.exportDeck({ account, signal, format, ...deck })
  await context.checkpoint({ exportPath: path })
}
