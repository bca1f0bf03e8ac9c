/**
 * Outlines: the stream, which asks the model anew at every call and overwrites outlines and title,
 * and (T, B) plain GET and PUT.
 */

import { writeOutlines } from '../content/outlining.ts'
import { type Deck, type Outline, stamp, titleOf } from '../deck.ts'
import { frame } from '../event-stream.ts'
import type { Frame } from '../faults/fault.ts'
import { pause } from '../pace.ts'
import { compactJson } from '../python-json.ts'
import { type Flaw, json, type Reply, unprocessable } from '../reply.ts'
import { storedRow } from '../rows.ts'
import type { Exchange, Route, World } from '../world.ts'
import { missing, notAnObject, readObject } from './body.ts'
import { findDeckInPath } from './lookup.ts'
import { playStream } from './stream.ts'

const path = '/api/v1/ppt/outlines'

export const outlineRoutes: readonly Route[] = [
  { method: 'GET', path: `${path}/stream/{id}`, operation: 'outlines', act: streamOutlines },
  {
    method: 'GET',
    path: `${path}/{id}`,
    operation: 'read-outlines',
    when: (features) => features.outlineRoutes,
    act: read,
  },
  {
    method: 'PUT',
    path: `${path}/{id}`,
    operation: 'write-outlines',
    when: (features) => features.outlineRoutes,
    act: write,
  },
]

async function streamOutlines(world: World, exchange: Exchange): Promise<Reply | undefined> {
  const found = findDeckInPath(world, exchange)
  if ('reply' in found) return found.reply
  world.ledger.pay('outlines', found.deck.id)
  const recorded = world.replay?.outlines(found.deck, exchange.pass)
  return playStream(world, exchange, recorded ?? frames(world, exchange, found.deck))
}

async function* frames(
  world: World,
  { signal, pass, fault }: Exchange,
  deck: Deck,
): AsyncGenerator<Frame> {
  const { pace } = world
  const features = world.features()
  for (const status of features.outlineStatuses)
    yield { kind: 'head', text: frame({ type: 'status', status }) }

  const asked = deck.n_slides
  const count = fault?.effect.kind === 'outlines' ? fault.effect.count : (wanted: number) => wanted
  let outlines = writeOutlines(deck, count)
  const wanted = asked > 0 ? asked : outlines.length
  for (const chunk of pieces(compactJson({ slides: outlines }), pace.chunkChars)) {
    await pass('outlines:chunk')
    await pause(pace.chunkMs, signal)
    yield { kind: 'part', text: frame({ type: 'chunk', chunk }) }
  }
  yield { kind: 'tail', text: '' }

  if (features.modelErrors === 'friendly' && outlines.length !== wanted) {
    const detail =
      'Failed to generate presentation outlines with requested number of slides. Please try again.'
    yield { kind: 'complete', text: frame({ type: 'error', detail }) }
    return
  }
  outlines = outlines.slice(0, wanted).map((outline) => cutWords(outline, features.outlineWords))
  await pass('outlines:complete')
  Object.assign(deck, { outlines, title: titleOf(outlines), updated_at: stamp() })
  await pass('outlines:saved')
  yield {
    kind: 'complete',
    text: frame({ type: 'complete', presentation: storedRow(deck, features) }),
  }
}

function read(world: World, exchange: Exchange): Reply {
  const found = findDeckInPath(world, exchange)
  return 'reply' in found ? found.reply : json({ slides: found.deck.outlines ?? [] })
}

async function write(world: World, exchange: Exchange): Promise<Reply> {
  const found = findDeckInPath(world, exchange)
  if ('reply' in found) return found.reply
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { slides } = body.value
  const flaws = flawsOfOutlines(slides, 'slides')
  if (flaws.length > 0) return unprocessable(flaws)
  const outlines = (slides as Outline[]).map((outline) =>
    cutWords(outline, world.features().outlineWords),
  )
  Object.assign(found.deck, {
    outlines,
    n_slides: outlines.length,
    title: titleOf(outlines),
    updated_at: stamp(),
  })
  return json({ slides: outlines })
}

export function flawsOfOutlines(value: unknown, field: string): Flaw[] {
  if (value === undefined) return [missing(field)]
  if (!Array.isArray(value)) {
    return [
      {
        type: 'list_type',
        loc: ['body', field],
        msg: 'Input should be a valid list',
        input: value,
      },
    ]
  }
  if (field === 'slides' && value.length > 50) {
    const msg = `List should have at most 50 items after validation, not ${value.length}`
    const ctx = { field_type: 'List', max_length: 50, actual_length: value.length }
    return [{ type: 'too_long', loc: ['body', field], msg, input: value, ctx }]
  }
  return value.flatMap((item: unknown, index) => {
    if (!item || typeof item !== 'object') return [notAnObject(['body', field, index], item)]
    return typeof (item as Outline).content === 'string' ? [] : [missing(field, index, 'content')]
  })
}

/** Upstream cuts outlines silently to so many words (0.9.3: 100). */
export function cutWords({ content }: Outline, most: number): Outline {
  let words = 0
  for (const { index, 0: word } of content.matchAll(/\S+/g)) {
    if (++words === most) return { content: content.slice(0, index + word.length) }
  }
  return { content }
}

function pieces(text: string, size: number): string[] {
  const characters = [...text]
  const count = Math.ceil(characters.length / size)
  return Array.from({ length: count }, (_, index) =>
    characters.slice(index * size, (index + 1) * size).join(''),
  )
}
