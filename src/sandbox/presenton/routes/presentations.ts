/**
 * Reading, listing, changing and deleting decks.
 */

import { randomUUID } from 'node:crypto'
import { createDeck, type Deck, type Slide, timestamp } from '../deck.ts'
import {
  errorDetail,
  internalServerError,
  json,
  noContent,
  type Reply,
  rawJson,
  validationFailed,
} from '../reply.ts'
import { echoedSlide, readSlide, shownRow } from '../rows.ts'
import type { Exchange, Route, StandInState } from '../state.ts'
import { findDeck, findDeckInPath, isOwn } from './find-deck.ts'
import { idError, missingField, readObject } from './validation.ts'

const path = '/api/v1/ppt/presentation'

export const presentationRoutes: readonly Route[] = [
  { method: 'GET', path: `${path}/all`, operation: 'list', handle: list },
  { method: 'PATCH', path: `${path}/update`, operation: 'update', handle: update },
  { method: 'GET', path: `${path}/{id}`, operation: 'read', handle: read },
  { method: 'DELETE', path: `${path}/{id}`, operation: 'delete', handle: remove },
  {
    method: 'POST',
    path: `${path}/{id}/duplicate`,
    operation: 'duplicate',
    isAvailable: ({ hasSlideUi }) => hasSlideUi,
    handle: duplicate,
  },
]

function read(state: StandInState, exchange: Exchange): Reply {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  const recorded = state.replay?.recordedRead(found.deck)
  if (recorded) return rawJson(recorded)
  const features = state.features()
  const slides = found.deck.slides.map((slide) => readSlide(slide, features))
  return json(shownRow(found.deck, slides, features))
}

/**
 * Newest first, each with its first slide. Decks without slides are omitted, unless the request
 * asks B for no slides.
 */
function list(state: StandInState, exchange: Exchange): Reply {
  const { decks, features } = state
  const { url } = exchange
  const withoutSlides = features().hasSlideUi && url.searchParams.get('include_slides') === 'false'
  const own = [...decks.values()].filter((deck) => isOwn(deck, exchange, state))
  const rows = own.reverse().flatMap((deck) => {
    const first = deck.slides.find(({ index }) => index === 0)
    if (withoutSlides) return [shownRow(deck, [], features())]
    return first ? [shownRow(deck, [readSlide(first, features())], features())] : []
  })
  return json(rows)
}

/** A copy with slides of its own, under another title. */
function duplicate(state: StandInState, exchange: Exchange): Reply {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  const { exports: _, ...deck } = structuredClone({ ...found.deck, exports: [] })
  const copy = createDeck(deck)
  Object.assign(copy, deck, { id: randomUUID(), title: `${deck.title} (Copy)` })
  Object.assign(copy, { created_at: timestamp(), updated_at: timestamp() })
  copy.slides = deck.slides.map((slide) => ({ ...slide, id: randomUUID(), presentation: copy.id }))
  state.decks.set(copy.id, copy)
  const features = state.features()
  return json(
    shownRow(
      copy,
      copy.slides.map((slide) => readSlide(slide, features)),
      features,
    ),
  )
}

function remove(state: StandInState, exchange: Exchange): Reply {
  const found = findDeckInPath(state, exchange)
  if ('reply' in found) return found.reply
  state.decks.delete(found.deck.id)
  return noContent()
}

/**
 * `slides` replaces all slides; an empty list changes none. Invalid slides cause a 500, since
 * upstream does not check them.
 */
async function update(state: StandInState, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('errors' in body) return validationFailed(body.errors)
  const { id, n_slides, title, theme, slides } = body.value
  if (id === undefined) return validationFailed([missingField('id')])
  const found = findDeck(state, exchange, id, ['body', 'id'])
  if ('reply' in found) return found.reply
  const { deck } = found
  const features = state.features()
  const newSlides = Array.isArray(slides) ? (slides as Partial<Slide>[]) : []
  if (
    newSlides.some(
      (slide) => idError(slide.id, [], features) || idError(slide.presentation, [], features),
    )
  )
    return internalServerError()
  // A slide's id is the key of its row, whichever deck it is in.
  const ids = new Set(newSlides.map((slide) => slide.id))
  const others = [...state.decks.values()].filter((other) => other !== deck)
  if (others.some((other) => other.slides.some((slide) => ids.has(slide.id))))
    return internalServerError()

  const changes = {
    ...(typeof n_slides === 'number' ? { n_slides } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(features.patchResetsTheme ? { theme: theme ?? null } : {}),
    ...(newSlides.length > 0 ? { slides: newSlides.map((slide) => withAllMembers(slide)) } : {}),
  }
  const isChanged = JSON.stringify({ ...deck, ...changes }) !== JSON.stringify(deck)
  Object.assign(deck, changes, isChanged ? { updated_at: timestamp() } : {})
  const echoed = newSlides.map((slide) => echoedSlide(withAllMembers(slide), features))
  return json({
    ...shownRow(deck, echoed, features),
    updated_at: isChanged ? `${deck.updated_at}Z` : deck.updated_at,
  })
}

function withAllMembers(slide: Partial<Slide>): Slide {
  const rest = { speaker_note: null, ui: null, html_content: null, properties: null }
  return { ...rest, ...slide } as Slide
}

/** For the `edit` route; false when a slide does not exist. */
export function replaceContents(
  deck: Deck,
  changes: readonly { index: number; content: Record<string, unknown> }[],
): boolean {
  if (changes.some(({ index }) => !deck.slides[index])) return false
  for (const { index, content } of changes) (deck.slides[index] as Slide).content = content
  return true
}

export function slideNotFound(): Reply {
  return errorDetail(400, 'Slide not found')
}
