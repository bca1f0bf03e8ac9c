// Stage slides: the expensive one. Upstream keeps nothing of a stream that was cut, and two streams of one deck double its
// slides; so a deck is streamed once, and before anything is paid again the gateway looks what the first stream left.

import { recordFinishedDeck } from '../../database/decks.ts'
import { noteSlide, settleSlides } from '../../database/ledger.ts'
import type { RunEvent } from '../../database/run-log.ts'
import { Problem } from '../../domain/problem.ts'
import { maxSlideStreams } from '../../domain/stage.ts'
import type { Context } from '../context.ts'
import { passOn } from '../pass-on.ts'
import { createSlideChunks, type Piece, type SlideChunks } from '../slide-chunks.ts'

/** Resolves to 'again' when the deck was given up for a fresh one: then the run goes on at create, with the saved outlines. */
export async function slides(context: Context): Promise<'again' | undefined> {
  const { run, presenton, signal } = context
  const deckId = run.deckId
  if (!deckId || !run.outlines) throw new Error('Slides need a prepared deck.')
  if (run.deckStreamed) {
    const { presentation, slides: found } = await presenton.readDeck(deckId, signal)
    if (isWhole(found, run.outlines.length)) {
      await finish(context, createSlideChunks(), presentation, found)
      return undefined
    }
    run.deckId = null
    run.deckPrepared = false
    run.deckStreamed = false
    await context.commit([], { presenton_presentation_id: null, deck_prepared: false, deck_streamed: false })
    return 'again'
  }
  if (run.slideStreams >= maxSlideStreams) throw new Problem('UPSTREAM_ERROR', { failure: 'final' })
  await countStream(context, 1)
  try {
    await stream(context, deckId)
  } catch (error) {
    // Nobody answered, so nothing was begun and nothing is paid.
    if (error instanceof Problem && error.failure === 'outage') await countStream(context, -1)
    throw error
  }
  return undefined
}

async function countStream(context: Context, by: 1 | -1): Promise<void> {
  const { run } = context
  run.slideStreams += by
  run.deckStreamed = by > 0
  await context.commit([], { slide_streams: run.slideStreams, deck_streamed: run.deckStreamed })
}

async function stream(context: Context, deckId: string): Promise<void> {
  const { presenton, signal } = context
  const chunks = createSlideChunks()
  const startedMs = performance.now()
  for await (const messages of presenton.streamSlides(deckId, signal)) {
    for (const message of messages) {
      if (message.type === 'complete') {
        const presentation = message.value.presentation as Record<string, unknown>
        await finish(context, chunks, presentation, presentation.slides as Record<string, unknown>[])
        return
      }
      if (message.type !== 'chunk') {
        await passOn(context, message)
        continue
      }
      const pieces = chunks.take(String(message.value.chunk ?? ''))
      if (pieces.some(({ slideIndex }) => slideIndex === 0)) context.onFirstSlide?.((performance.now() - startedMs) / 1000)
      await show(context, pieces)
    }
  }
  throw new Problem('UPSTREAM_ERROR', { failure: 'fault' })
}

async function show(context: Context, pieces: Piece[]): Promise<void> {
  if (pieces.length === 0) return
  const { run } = context
  const last = pieces.findLast(({ slideIndex }) => slideIndex !== undefined)?.slideIndex
  if (last === undefined) {
    await context.append(pieces.map((piece) => chunkEvent(context, piece)))
    return
  }
  run.slidesDone = last + 1
  const progress = context.progressAt('slides', { done: run.slidesDone, total: run.outlines?.length ?? run.nSlides })
  await context.log.append({
    events: pieces.map((piece) => chunkEvent(context, piece)),
    changes: { slides_done: run.slidesDone, progress },
    companions: pieces.some(({ slideIndex }) => slideIndex === 0) ? [noteSlide] : [],
  })
}

function chunkEvent({ event }: Context, { chunk, slideIndex }: Piece): RunEvent {
  return event('chunk', slideIndex === undefined ? { chunk } : { chunk, slide_index: slideIndex })
}

/** Each index from 0 once, and at least one slide for each outline: a table of contents adds some. */
function isWhole(found: { index: number }[], outlines: number): boolean {
  const indexes = new Set(found.map(({ index }) => index))
  return (
    found.length >= Math.max(1, outlines) && indexes.size === found.length && found.every(({ index }) => index < found.length)
  )
}

async function finish(
  context: Context,
  chunks: SlideChunks,
  presentation: Record<string, unknown>,
  found: Record<string, unknown>[],
): Promise<void> {
  const { run } = context
  await show(context, chunks.finish(found))
  run.slidesFinished = true
  run.slidesDone = found.length
  // Upstream knows the deck by a name of ours; people know it by theirs.
  const finished = { ...presentation, title: run.title ?? presentation.title }
  await context.commit([], { slides_finished: true, slides_done: found.length, progress: context.progressAt('export') }, [
    recordFinishedDeck(run.deckId ?? '', finished),
    settleSlides(found.length),
  ])
}
