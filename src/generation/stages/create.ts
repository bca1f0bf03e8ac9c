// Stage create: an empty deck upstream. Cheap, but not idempotent there, so an abandoned one may
// stay behind; all are recorded.

import type { RunEvent } from '../../database/run-log.ts'
import { rejected } from '../../presenton/failures.ts'
import type { Context } from '../context.ts'
import { recordDeck, scheduleDeckRemoval } from '../statements/decks.ts'

export async function create(context: Context): Promise<void> {
  const { run, presenton, account, signal } = context
  // Asked here, before the first stage that costs money.
  if (!(await presenton.hasTemplate({ account, signal, templateId: run.template })))
    throw rejected('It does not have this template.')
  const { deckId } = await presenton.createDeck({
    account,
    signal,
    brief: {
      content: run.brief.content,
      nSlides: run.nSlides,
      language: run.language,
      tone: run.brief.tone,
      verbosity: run.brief.verbosity,
      ...(run.brief.instructions === null ? {} : { instructions: run.brief.instructions }),
      includeTitleSlide: run.brief.includeTitleSlide,
      includeTableOfContents: run.brief.includeTableOfContents,
      webSearch: run.brief.webSearch,
    },
  })
  run.deckId = deckId
  run.deckPrepared = false
  run.deckStreamed = false
  run.slidesFinished = false
  run.exportPath = null
  try {
    await context.commit(
      ownOutlines(context),
      {
        presenton_presentation_id: deckId,
        deck_prepared: false,
        deck_streamed: false,
        slides_finished: false,
        presenton_path: null,
      },
      [recordDeck(deckId)],
    )
  } catch (error) {
    // Cancelled, deleted or taken over just now: this deck is nobody's.
    await scheduleDeckRemoval(context.database, { deckId, presentationId: run.id }).catch(
      () => undefined,
    )
    throw error
  }
}

/**
 * Outlines that came with the brief are shown where made ones would be: after the first create,
 * before all that uses them.
 */
function ownOutlines({ run, event }: Context): RunEvent[] {
  if (!run.outlines || run.starts.outlines || (run.starts.create ?? 0) > 1 || run.run > 1) return []
  return [event('outlines', { outlines: run.outlines, title: run.title }, null)]
}
