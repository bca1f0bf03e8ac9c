// Stage slides: the expensive one. Upstream keeps nothing of a stream that was cut, and two streams
// of one deck double its slides; so a deck is streamed once. What is looked at before anything is
// paid again is in `kept-slides`.

import { markFirstSlide, settleSlides } from '../../database/ledger.ts'
import type { RunEvent } from '../../database/run-log.ts'
import { Problem } from '../../domain/problem.ts'
import { maxSlideStreams } from '../../domain/stage.ts'
import {
  type DeckSlides,
  hasAllSlides,
  parseCompletedSlides,
} from '../../presenton/deck-responses.ts'
import { mayHaveStarted } from '../../presenton/failures.ts'
import type { Context } from '../context.ts'
import { forwardMessage } from '../forward-message.ts'
import { createSlideChunks, type Piece, type SlideChunks } from '../slide-chunks.ts'
import { createImageRecorder, type ImageRecorder } from '../slide-images.ts'
import { recordFinishedDeck } from '../statements/decks.ts'

export async function slides(context: Context): Promise<void> {
  const { run } = context
  const deckId = run.deckId
  if (!deckId || !run.outlines) throw new Error('Slides need a prepared deck.')
  if (run.slideStreams >= maxSlideStreams) throw new Problem('UPSTREAM_ERROR', { failure: 'final' })
  await countStream(context, 1)
  try {
    await stream(context, deckId)
  } catch (error) {
    // What was not begun is not paid for, and the deck is as it was.
    if (!mayHaveStarted(error)) await countStream(context, -1)
    throw error
  }
}

/** What an earlier start left is shown as the same sequence as a stream's. */
export const finishSlides = (context: Context, deck: DeckSlides): Promise<void> =>
  finish(context, createSlideChunks(), createImageRecorder(context.run.userId), deck)

async function countStream(context: Context, by: 1 | -1): Promise<void> {
  const { run } = context
  run.slideStreams += by
  run.deckStreamed = by > 0
  await context.commit([], { slide_streams: run.slideStreams, deck_streamed: run.deckStreamed })
}

async function stream(context: Context, deckId: string): Promise<void> {
  const { presenton, account, signal, logger } = context
  const chunks = createSlideChunks()
  const pictures = createImageRecorder(context.run.userId)
  const startedMs = performance.now()
  for await (const messages of presenton.streamSlides({ account, signal, deckId, logger })) {
    for (const message of messages) {
      if (message.type === 'complete') {
        const deck = parseCompletedSlides(message)
        // Another look may find what was not said: upstream stores all slides before it completes.
        if (!hasAllSlides(deck, context.run.outlines?.length ?? 0))
          throw incomplete('slides are missing')
        await finish(context, chunks, pictures, deck)
        return
      }
      if (message.type !== 'chunk') {
        await forwardMessage(context, message, pictures.of(message.value))
        continue
      }
      const pieces = chunks.take(String(message.value.chunk ?? ''))
      if (pieces.some(({ slideIndex }) => slideIndex === 0))
        context.onFirstSlide?.((performance.now() - startedMs) / 1000)
      await show(context, pieces, pictures)
    }
  }
  throw incomplete('complete is missing')
}

const incomplete = (what: string) =>
  new Problem('UPSTREAM_ERROR', { failure: 'fault', cause: new Error(what) })

async function show(context: Context, pieces: Piece[], pictures: ImageRecorder): Promise<void> {
  if (pieces.length === 0) return
  const { run } = context
  const last = pieces.findLast(({ slideIndex }) => slideIndex !== undefined)?.slideIndex
  if (last === undefined) {
    await context.append(pieces.map((piece) => chunkEvent(context, piece)))
    return
  }
  run.slidesDone = last + 1
  const progress = context.progressAt('slides', {
    done: run.slidesDone,
    total: run.outlines?.length ?? run.nSlides,
  })
  await context.log.append({
    events: pieces.map((piece) => chunkEvent(context, piece)),
    changes: { slides_done: run.slidesDone, progress },
    extraStatements: [
      ...(pieces.some(({ slideIndex }) => slideIndex === 0) ? [markFirstSlide] : []),
      // Most slides name none, and need no walk through all that is in them.
      ...pictures.of(
        pieces.filter(({ chunk }) => chunk.includes('app_data')).map(({ slide }) => slide),
      ),
    ],
  })
}

function chunkEvent({ event }: Context, { chunk, slideIndex }: Piece): RunEvent {
  return event('chunk', slideIndex === undefined ? { chunk } : { chunk, slide_index: slideIndex })
}

async function finish(
  context: Context,
  chunks: SlideChunks,
  pictures: ImageRecorder,
  { presentation, slides: found }: DeckSlides,
): Promise<void> {
  const { run } = context
  await show(context, chunks.finish(found), pictures)
  run.slidesFinished = true
  run.slidesDone = found.length
  // Upstream knows the deck by a name of ours; people know it by theirs.
  const finished = { ...presentation, title: run.title ?? presentation.title }
  await context.commit(
    [],
    { slides_finished: true, slides_done: found.length, progress: context.progressAt('export') },
    [
      recordFinishedDeck(run.deckId ?? '', finished),
      settleSlides(found.length),
      ...pictures.of(finished),
    ],
  )
}
