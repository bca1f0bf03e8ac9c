/**
 * GET /presentation/stream/{id}: the slides, one chunk each, without commas between them. Every
 * call writes all slides anew with new ids; they are stored only after the last one, just before
 * `complete`.
 *
 * In A1 two streams of one deck at once both store theirs: each deletes only the slides that it
 * could see when it began.
 */

import { writeSlide } from '../content/slides.ts'
import type { Deck, Slide } from '../deck.ts'
import { frame } from '../event-stream.ts'
import type { Frame } from '../faults/fault.ts'
import { pause } from '../pace.ts'
import { compactJson } from '../python-json.ts'
import { detail, type Reply } from '../reply.ts'
import { shownRow, streamedSlide } from '../rows.ts'
import type { Exchange, Route, World } from '../world.ts'
import { findDeckInPath } from './lookup.ts'
import { playStream } from './stream.ts'

export const slideRoutes: readonly Route[] = [
  {
    method: 'GET',
    path: '/api/v1/ppt/presentation/stream/{id}',
    operation: 'slides',
    act: streamSlides,
  },
]

async function streamSlides(world: World, exchange: Exchange): Promise<Reply | undefined> {
  const found = findDeckInPath(world, exchange)
  if ('reply' in found) return found.reply
  const { deck } = found
  if (!deck.structure) return detail(400, 'Presentation not prepared for stream')
  if (!deck.outlines?.length) return detail(400, 'Outlines can not be empty')
  world.ledger.pay('slideStreams', deck.id)
  const recorded = world.replay?.slides(deck, exchange.pass)
  return playStream(world, exchange, recorded ?? frames(world, exchange, deck))
}

async function* frames(
  world: World,
  { signal, pass }: Exchange,
  deck: Deck,
): AsyncGenerator<Frame> {
  const features = world.features()
  const seen = new Set(deck.slides)
  const outlines = deck.outlines ?? []
  const slides: Slide[] = []
  yield { kind: 'head', text: chunk('{ "slides": [ ') }

  for (const index of outlines.keys()) {
    await pass('slides:slide')
    await pause(world.pace.slideMs, signal)
    const slide = writeSlide(deck, index, features)
    slides.push(slide)
    yield { kind: 'part', text: chunk(compactJson(streamedSlide(slide, features))) }
    // Pictures are made beside the slides: each comes one slide later.
    if (features.slideAssets && index > 0) yield assets(slides, index - 1, world)
  }
  yield { kind: 'tail', text: chunk(' ] }') }
  if (features.slideAssets && slides.length > 0) yield assets(slides, slides.length - 1, world)

  await pass('slides:complete')
  const kept = features.doublesSlides ? deck.slides.filter((slide) => !seen.has(slide)) : []
  deck.slides = [...kept, ...slides].sort((one, other) => one.index - other.index)
  Object.assign(deck, features.ui ? { fonts: poppins } : {})
  await pass('slides:saved')
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

function assets(slides: readonly Slide[], index: number, world: World): Frame {
  const slide = slides[index] as Slide
  const row = streamedSlide(slide, world.features())
  return {
    kind: 'assets',
    text: frame({ type: 'slide_assets', slide_index: index, slide: row, warnings: [] }),
  }
}
