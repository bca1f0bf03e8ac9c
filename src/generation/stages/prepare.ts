// Stage prepare: the outlines and a template become the structure of the deck. It is safe to
// repeat.

import { isTemplateMissing } from '../../presenton/templates.ts'
import type { Context } from '../context.ts'
import { deckTitles } from '../deck-title.ts'
import { workingDeckOf } from '../run-state.ts'
import { missingTemplate, useCurrentDefault } from '../template.ts'

export async function prepare(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  const { outlines, template: templateId } = run
  const deckId = workingDeckOf(run)
  if (!deckId || !outlines) throw new Error('Prepare needs a deck and outlines.')
  const titles = deckTitles(run)
  try {
    await presenton.prepareDeck({ account, signal, deckId, outlines, ...titles, templateId })
  } catch (error) {
    if (!isTemplateMissing(error)) throw error
    // For the next attempt.
    await useCurrentDefault(context)
    throw missingTemplate(run)
  }
  await context.checkpoint({ deckPrepared: true })
}
