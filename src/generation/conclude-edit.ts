// What an edit has done to the deck, and how it ends: the changed slide is kept and everything else
// restored, or the whole deck is restored. Safe to repeat: it only looks at the deck and at the
// checkpoint.

import { recordFinishedDeck } from '../database/decks.ts'
import {
  markEditDone,
  recordSlideDigests,
  type SlideEdit,
  settleEdit,
} from '../database/slide-edits.ts'
import { Problem } from '../domain/problem.ts'
import type { DeckSlides, UpstreamSlide } from '../presenton/deck-responses.ts'
import { deckGone } from '../presenton/decks.ts'
import { fault } from '../presenton/failures.ts'
import { isDeckAsExpected, slideDigest, slideDigests } from '../presenton/slide-digest.ts'
import { slideView } from '../presenton/slide-view.ts'
import { finalProblem } from './attempts.ts'
import type { Context } from './context.ts'
import { patiently, withoutAttempts } from './patiently.ts'
import { createImageRecorder } from './slide-images.ts'

/** An edit that upstream was asked for. */
export interface AskedEdit
  extends Pick<SlideEdit, 'slideIndex' | 'phase' | 'conversationId' | 'error'> {
  before: DeckSlides
  /** The tools that the chat has used; undefined if they are unknown. */
  tools: string[] | undefined
  /** Why there was no answer; undefined also after a crash. */
  lost: Problem | undefined
}

/** @throws Problem with which the run ends; CANCELLED for a cancel */
export async function concludeEdit(context: Context, asked: AskedEdit): Promise<void> {
  const { run, log, event } = context
  const { deckId } = run
  if (!deckId) throw new Error('An edit needs a deck.')
  const { before, slideIndex, error, phase } = asked
  const found = await readDeck(context, deckId)
  const isCancelled = !(await settle(context, phase))
  const edited = findEdited(found, before, slideIndex)
  const keeps = edited !== undefined && !error && !isCancelled
  const expected = keeps ? before.slides.with(slideIndex, edited) : before.slides
  const after = await restore(context, { asked, found, expected })
  await deleteConversation(context, deckId, asked)

  const problem = keeps ? undefined : problemOf(asked, isCancelled)
  const revision = (run.revision ?? 1) + (keeps ? 1 : 0)
  const slide = after.slides[slideIndex]
  await log.commit({
    events:
      keeps && slide
        ? [
            event('slide_edited', {
              index: slideIndex,
              slide: slideView(slide, slideIndex),
              revision,
            }),
          ]
        : [],
    changes: { editFinished: problem === undefined, revision },
    extraStatements: [
      markEditDone,
      recordSlideDigests(deckId, slideDigests(after)),
      recordFinishedDeck(deckId, after.presentation, revision),
      ...(keeps ? createImageRecorder(run.userId).of(slide) : []),
    ],
  })
  if (problem) throw problem
  Object.assign(run, { editFinished: true, revision })
}

/** The deck before or after the call. A deck that no longer exists ends the run. */
export function readDeck(context: Context, deckId: string): Promise<DeckSlides> {
  const { presenton, account, signal } = context
  return patiently(context, () =>
    presenton.readDeck({ account, signal, deckId }).catch((error: unknown) => {
      throw deckGone(error)
    }),
  )
}

/**
 * The slide after the edit; undefined if it is as before, or gone. Some versions give it a new id,
 * and a chat may have moved it.
 */
function findEdited(
  { slides }: DeckSlides,
  before: DeckSlides,
  index: number,
): UpstreamSlide | undefined {
  const original = before.slides[index]
  const ids = new Set(before.slides.map(({ id }) => id))
  const edited =
    slides.find(({ id }) => id === original?.id) ??
    slides.find((slide, position) => position === index && !ids.has(slide.id))
  if (!original || !edited || slideDigest(edited) === slideDigest(original)) return undefined
  return edited
}

/** A cancel comes too late from here on. False when the edit was cancelled before. */
async function settle({ run, database }: Context, phase: AskedEdit['phase']): Promise<boolean> {
  return phase === 'settled' || settleEdit(database, run)
}

/** Number, order, ids, theme and every other slide, as the checkpoint has them. */
async function restore(
  context: Context,
  {
    asked: { before, conversationId, tools },
    found,
    expected,
  }: { asked: AskedEdit; found: DeckSlides; expected: UpstreamSlide[] },
): Promise<DeckSlides> {
  const { presenton, account, signal, run } = context
  const { theme, n_slides: count } = before.presentation
  // Where the theme is not shown, only a write can tell that it is as before.
  const mayHaveTheme =
    theme === undefined &&
    conversationId !== null &&
    (tools === undefined || tools.includes('setPresentationTheme'))
  const wanted = { slides: expected, theme }
  if (isDeckAsExpected(found, wanted) && !mayHaveTheme) return found
  return patiently(context, async () => {
    const restored = await presenton.writeSlides({
      account,
      signal,
      deckId: run.deckId ?? '',
      theme,
      slides: expected,
      ...(typeof count === 'number' && { slideCount: count }),
    })
    if (!isDeckAsExpected(restored, wanted)) throw fault('the deck could not be restored')
    return restored
  })
}

/** It holds the instruction. A conversation that stays behind harms no run. */
async function deleteConversation(
  { presenton, account, signal, logger }: Context,
  deckId: string,
  { conversationId }: AskedEdit,
): Promise<void> {
  if (conversationId === null) return
  const remove = () => presenton.deleteConversation({ account, signal, deckId, conversationId })
  await remove()
    .catch(remove)
    .catch((error: unknown) => {
      signal.throwIfAborted()
      logger.warn({ err: error }, 'the conversation of an edit stays in Presenton')
    })
}

/** Why the edit is not kept; undefined if it has changed nothing and that is its answer. */
function problemOf({ error, phase, lost }: AskedEdit, isCancelled: boolean): Problem | undefined {
  if (isCancelled) return new Problem('CANCELLED', { failure: 'final' })
  if (error) return new Problem(error.code, { failure: 'final', detail: error.detail })
  if (lost) return withoutAttempts(finalProblem(lost))
  return phase === 'answered' ? undefined : new Problem('INTERRUPTED', { failure: 'final' })
}
