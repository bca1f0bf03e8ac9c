// Stage prepare: the outlines and a template become the structure of the deck. It is safe to repeat.

import type { Context } from '../context.ts'
import { deckTitle } from '../deck-title.ts'

export async function prepare(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { deckId, outlines, template: templateId } = run
  if (!deckId || !outlines) throw new Error('Prepare needs a deck and outlines.')
  const title = deckTitle(run)
  await presenton.prepareDeck({ account, signal, deckId, outlines, title, templateId })
  await context.checkpoint({ deckPrepared: true })
}
