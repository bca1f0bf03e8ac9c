/**
 * GET /presentation/stream/{id}: the slides, one chunk each, without commas between them. Every
 * call writes all slides again with new ids and stores them just before `complete`.
 *
 * In A1, two concurrent streams of one deck both store their slides: each deletes only the slides
 * that existed when it started.
 */

import { writeSlide } from '../content/slides.ts'
import type { Deck, Slide } from '../deck.ts'
import { frame } from '../event-stream.ts'
import type { Frame } from '../faults/fault.ts'
import { pause } from '../pace.ts'
import { compactJson } from '../python-json.ts'
import { errorDetail, type Reply } from '../reply.ts'
import { shownRow, streamedSlide } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeckInPath } from './find-deck.ts'
import { sendStream } from './send-stream.ts'

export const slideRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/ppt/presentation/stream/{id}',
    operation: 'slides',
    handle: streamSlides,
  },
]

async function streamSlides(state: StandInState, exchange: Exchange): Promise<Reply | undefined> {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  const { deck } = found
  if (!deck.structure) return errorDetail(400, 'Presentation not prepared for stream')
  if (!deck.outlines?.length) return errorDetail(400, 'Outlines can not be empty')
  state.spendCounter.count('slideStreams', deck.id)
  const recorded = state.replay?.slides(deck, exchange.passGate)
  return sendStream(state, exchange, recorded ?? frames(state, exchange, deck))
}

async function* frames(
  state: StandInState,
  { signal, passGate }: Exchange,
  deck: Deck,
): AsyncGenerator<Frame> {
  const features = state.features()
  const slidesBefore = new Set(deck.slides)
  const outlines = deck.outlines ?? []
  const slides: Slide[] = []
  yield { kind: 'head', text: chunk('{ "slides": [ ') }

  for (const index of outlines.keys()) {
    await passGate('slides:slide')
    await pause(state.pace.slideMs, signal)
    const slide = writeSlide(deck, index, features)
    slides.push(slide)
    yield { kind: 'part', text: chunk(compactJson(streamedSlide(slide, features))) }
    // Images are made in parallel: the event of each comes one slide later.
    if (features.hasSlideAssets && index > 0) yield assets(slides, index - 1, state)
  }
  yield { kind: 'tail', text: chunk(' ] }') }
  if (features.hasSlideAssets && slides.length > 0) yield assets(slides, slides.length - 1, state)

  await passGate('slides:complete')
  const kept = features.keepsConcurrentSlides
    ? deck.slides.filter((slide) => !slidesBefore.has(slide))
    : []
  deck.slides = [...kept, ...slides].sort((one, other) => one.index - other.index)
  Object.assign(deck, features.hasSlideUi ? { fonts: poppins } : {})
  await passGate('slides:saved')
  const presentation = shownRow(
    deck,
    slides.map((slide) => streamedSlide(slide, features)),
    features,
  )
  yield { kind: 'complete', text: frame({ type: 'complete', presentation }) }
}

const poppins = {
  Poppins:
    'https://fonts.googleapis.com/css2?family=Poppins:ital,wght@0,400;0,700;1,400&display=swap',
}

function chunk(text: string): string {
  return frame({ type: 'chunk', chunk: text })
}

function assets(slides: readonly Slide[], index: number, state: StandInState): Frame {
  const slide = slides[index] as Slide
  const row = streamedSlide(slide, state.features())
  return {
    kind: 'assets',
    text: frame({ type: 'slide_assets', slide_index: index, slide: row, warnings: [] }),
  }
}
