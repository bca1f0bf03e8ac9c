/**
 * Outlines: the stream calls the model every time and overwrites outlines and title. T and B also
 * have plain GET and PUT.
 */

import { writeOutlines } from '../content/outlines.ts'
import { type Deck, type Outline, timestamp, titleOf } from '../deck.ts'
import { frame } from '../event-stream.ts'
import type { Frame } from '../faults/fault.ts'
import { pause } from '../pace.ts'
import { compactJson } from '../python-json.ts'
import { type FieldError, json, type Reply, validationFailed } from '../reply.ts'
import { storedRow } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeckInPath } from './find-deck.ts'
import { sendStream } from './send-stream.ts'
import { readDocuments } from './uploads.ts'
import { missingField, notAnObject, readObject } from './validation.ts'

const path = '/api/v1/ppt/outlines'

export const outlineRoutes: readonly Route[] = [
  { method: 'GET', path: `${path}/stream/{id}`, operation: 'outlines', handle: streamOutlines },
  {
    method: 'GET',
    path: `${path}/{id}`,
    operation: 'read-outlines',
    isAvailable: (features) => features.hasOutlineRoutes,
    handle: read,
  },
  {
    method: 'PUT',
    path: `${path}/{id}`,
    operation: 'write-outlines',
    isAvailable: (features) => features.hasOutlineRoutes,
    handle: write,
  },
]

async function streamOutlines(state: StandInState, exchange: Exchange): Promise<Reply | undefined> {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  const documents = await readDocuments(state, found.deck.file_paths ?? [])
  // Without its documents it fails before it asks the model.
  if (documents !== undefined) state.spendCounter.count('outlines', found.deck.id)
  const recorded = state.replay?.outlines(found.deck, exchange.passGate)
  return sendStream(
    state,
    exchange,
    recorded ?? frames(state, exchange, { deck: found.deck, documents }),
  )
}

async function* frames(
  state: StandInState,
  { signal, passGate, fault }: Exchange,
  { deck, documents }: { deck: Deck; documents: string | undefined },
): AsyncGenerator<Frame> {
  const { pace } = state
  const features = state.features()
  const [firstStatus, ...laterStatuses] = features.outlineStatuses
  yield { kind: 'head', text: frame({ type: 'status', status: firstStatus }) }
  if (documents === undefined) {
    // A and T end the stream without an error.
    if (features.modelErrors === 'friendly')
      yield { kind: 'complete', text: frame({ type: 'error', detail: 'File not found' }) }
    return
  }
  for (const status of laterStatuses)
    yield { kind: 'head', text: frame({ type: 'status', status }) }

  const changeCount =
    fault?.effect.kind === 'outlines' ? fault.effect.count : (requested: number) => requested
  const content = [deck.content, documents].filter((text) => text !== '').join('\n\n')
  let outlines = writeOutlines({ ...deck, content }, changeCount)
  const expected = deck.n_slides > 0 ? deck.n_slides : outlines.length
  for (const chunk of splitText(compactJson({ slides: outlines }), pace.chunkChars)) {
    await passGate('outlines:chunk')
    await pause(pace.chunkMs, signal)
    yield { kind: 'part', text: frame({ type: 'chunk', chunk }) }
  }
  yield { kind: 'tail', text: '' }

  if (features.modelErrors === 'friendly' && outlines.length !== expected) {
    const detail =
      'Failed to generate presentation outlines with requested number of slides. Please try again.'
    yield { kind: 'complete', text: frame({ type: 'error', detail }) }
    return
  }
  outlines = outlines
    .slice(0, expected)
    .map((outline) => truncateWords(outline, features.maxOutlineWords))
  await passGate('outlines:complete')
  Object.assign(deck, { outlines, title: titleOf(outlines), updated_at: timestamp() })
  await passGate('outlines:saved')
  yield {
    kind: 'complete',
    text: frame({ type: 'complete', presentation: storedRow(deck, features) }),
  }
}

function read(state: StandInState, exchange: Exchange): Reply {
  const found = findDeckInPath(state, exchange)
  return 'reply' in found ? found.reply : json({ slides: found.deck.outlines ?? [] })
}

async function write(state: StandInState, exchange: Exchange): Promise<Reply> {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { slides } = body.value
  const errors = outlineErrors(slides, 'slides')
  if (errors.length > 0) return validationFailed(errors)
  const outlines = (slides as Outline[]).map((outline) =>
    truncateWords(outline, state.features().maxOutlineWords),
  )
  Object.assign(found.deck, {
    outlines,
    n_slides: outlines.length,
    title: titleOf(outlines),
    updated_at: timestamp(),
  })
  return json({ slides: outlines })
}

export function outlineErrors(value: unknown, field: string): FieldError[] {
  if (value === undefined) return [missingField(field)]
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
    return typeof (item as Outline).content === 'string'
      ? []
      : [missingField(field, index, 'content')]
  })
}

/** Upstream truncates outlines to 100 words without notice (0.9.3). */
export function truncateWords({ content }: Outline, maxWords: number): Outline {
  let words = 0
  for (const { index, 0: word } of content.matchAll(/\S+/g)) {
    if (++words === maxWords) return { content: content.slice(0, index + word.length) }
  }
  return { content }
}

function splitText(text: string, size: number): string[] {
  const chars = [...text]
  const count = Math.ceil(chars.length / size)
  return Array.from({ length: count }, (_, index) =>
    chars.slice(index * size, (index + 1) * size).join(''),
  )
}
