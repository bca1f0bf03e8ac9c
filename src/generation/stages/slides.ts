// Stage slides: the expensive one. Upstream keeps nothing of a stream that was cut, and two streams
// of one deck double its slides, so a deck is streamed once (see recover-slides.ts).

import type { EncodedEvent } from '../../contract/events.ts'
import { recordFinishedDeck } from '../../database/decks.ts'
import { markFirstSlide, settleSlides } from '../../database/ledger.ts'
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
import { withFreshDeck, workingDeckOf } from '../run-state.ts'
import { createSlideChunks, type Piece, type SlideChunks } from '../slide-chunks.ts'
import { createImageRecorder, type ImageRecorder } from '../slide-images.ts'

export async function slides(context: Context): Promise<void> {
  const { run } = context
  const deckId = workingDeckOf(run)
  if (!deckId || !run.outlines) throw new Error('Slides need a prepared deck.')
  if (run.slideStreams >= maxSlideStreams) {
    throw new Problem('UPSTREAM_ERROR', { failure: 'final' })
  }
  await countStream(context, 1)
  try {
    await stream(context, deckId)
  } catch (error) {
    // A stream that upstream did not start costs nothing and leaves the deck as it was. So does one
    // that the model's limit ended before its first slide: upstream has stopped and saved nothing.
    const isLimit = error instanceof Problem && error.failure === 'limit'
    if (!mayHaveStarted(error) || (isLimit && run.slidesDone === 0)) {
      await countStream(context, -1)
    }
    throw error
  }
}

/** Shows the slides that an earlier attempt left, as the sequence that a stream would give. */
export function finishSlides(context: Context, deck: DeckSlides): Promise<void> {
  const images = createImageRecorder(context.run.userId)
  return finish(context, { chunks: createSlideChunks(), images, deck })
}

function countStream({ run, checkpoint }: Context, by: 1 | -1): Promise<void> {
  return checkpoint({ slideStreams: run.slideStreams + by, deckStreamed: by > 0 })
}

async function stream(context: Context, deckId: string): Promise<void> {
  const { presenton, account, signal, run, logger } = context
  const chunks = createSlideChunks()
  const images = createImageRecorder(run.userId)
  const startedMs = performance.now()
  for await (const messages of presenton.streamSlides({ account, signal, deckId, logger })) {
    for (const message of messages) {
      if (message.type === 'complete') {
        const deck = parseCompletedSlides(message)
        // A retry may find the rest: upstream stores all slides before it completes.
        if (!hasAllSlides(deck, run.outlines?.length ?? 0)) throw incomplete('slides are missing')
        return finish(context, { chunks, images, deck })
      }
      if (message.type === 'chunk') {
        const pieces = chunks.take(String(message.value.chunk ?? ''))
        if (hasFirstSlide(pieces)) context.onFirstSlide?.((performance.now() - startedMs) / 1000)
        await show(context, pieces, images)
      } else {
        await forwardMessage(context, message, images.of(message.value))
      }
    }
  }
  throw incomplete('complete is missing')
}

const incomplete = (reason: string) =>
  new Problem('UPSTREAM_ERROR', { failure: 'fault', cause: new Error(reason) })

const hasFirstSlide = (pieces: Piece[]) => pieces.some(({ slideIndex }) => slideIndex === 0)

async function show(context: Context, pieces: Piece[], images: ImageRecorder): Promise<void> {
  if (pieces.length === 0) return
  const { run } = context
  const events = pieces.map((piece) => chunkEvent(context, piece))
  const last = pieces.findLast(({ slideIndex }) => slideIndex !== undefined)?.slideIndex
  if (last === undefined) return context.append({ events })
  run.slidesDone = last + 1
  const total = run.outlines?.length ?? run.nSlides
  const progress = context.progressAt('slides', { done: run.slidesDone, total })
  // Most slides name no image and need no walk through their members.
  const withImages = pieces.filter(({ chunk }) => chunk.includes('app_data'))
  await context.append({
    events,
    changes: { slidesDone: run.slidesDone, progress },
    extraStatements: [
      ...(hasFirstSlide(pieces) ? [markFirstSlide] : []),
      ...images.of(withImages.map(({ slide }) => slide)),
    ],
  })
}

function chunkEvent({ event }: Context, { chunk, slideIndex }: Piece): EncodedEvent {
  return event('chunk', slideIndex === undefined ? { chunk } : { chunk, slide_index: slideIndex })
}

async function finish(
  context: Context,
  { chunks, images, deck }: { chunks: SlideChunks; images: ImageRecorder; deck: DeckSlides },
): Promise<void> {
  const { run } = context
  const { presentation, slides: found } = deck
  await show(context, chunks.finish(found), images)
  // Until the export, upstream may know the deck by a technical title; readers get the user's.
  const finished = { ...presentation, title: run.title ?? presentation.title }
  const progress = context.progressAt('export')
  const deckId = workingDeckOf(run) ?? ''
  const replaced = withFreshDeck(run, found.length)
  await context.checkpoint(
    { ...replaced, slidesFinished: true, slidesDone: found.length, progress },
    {
      extraStatements: [
        recordFinishedDeck(deckId, finished, replaced.revision ?? 1),
        settleSlides(found.length),
        ...images.of(finished),
      ],
    },
  )
}
