/**
 * Reading, listing, changing and deleting decks.
 */

import { type Deck, type Slide, stamp } from '../deck.ts'
import { crashed, detail, json, noContent, type Reply, rawJson, unprocessable } from '../reply.ts'
import { echoedSlide, readSlide, shownRow } from '../rows.ts'
import type { Exchange, Route, World } from '../world.ts'
import { flawOfId, missing, readObject } from './body.ts'
import { findDeck, findDeckInPath } from './lookup.ts'

const path = '/api/v1/ppt/presentation'

export const presentationRoutes: readonly Route[] = [
  { method: 'GET', path: `${path}/all`, operation: 'list', act: list },
  { method: 'PATCH', path: `${path}/update`, operation: 'update', act: update },
  { method: 'GET', path: `${path}/{id}`, operation: 'read', act: read },
  { method: 'DELETE', path: `${path}/{id}`, operation: 'delete', act: remove },
]

function read(world: World, exchange: Exchange): Reply {
  const found = findDeckInPath(world, exchange)
  if ('reply' in found) return found.reply
  const recorded = world.replay?.read(found.deck)
  if (recorded) return rawJson(recorded)
  const features = world.features()
  const slides = found.deck.slides.map((slide) => readSlide(slide, features))
  return json(shownRow(found.deck, slides, features))
}

/**
 * Newest first, each with its first slide; decks without one are left out, unless B is asked for no
 * slides.
 */
function list({ decks, features }: World, { url }: Exchange): Reply {
  const withoutSlides = features().ui && url.searchParams.get('include_slides') === 'false'
  const rows = [...decks.values()].reverse().flatMap((deck) => {
    const first = deck.slides.find(({ index }) => index === 0)
    if (withoutSlides) return [shownRow(deck, [], features())]
    return first ? [shownRow(deck, [readSlide(first, features())], features())] : []
  })
  return json(rows)
}

function remove(world: World, exchange: Exchange): Reply {
  const found = findDeckInPath(world, exchange)
  if ('reply' in found) return found.reply
  world.decks.delete(found.deck.id)
  return noContent()
}

/**
 * `slides` replaces all; an empty list changes none. Bad slides are a crash, since upstream does
 * not check them.
 */
async function update(world: World, exchange: Exchange): Promise<Reply> {
  const body = await readObject(exchange)
  if ('flaws' in body) return unprocessable(body.flaws)
  const { id, n_slides, title, theme, slides } = body.value
  if (id === undefined) return unprocessable([missing('id')])
  const found = findDeck(world, exchange, id, ['body', 'id'])
  if ('reply' in found) return found.reply
  const { deck } = found
  const features = world.features()
  const given = Array.isArray(slides) ? (slides as Partial<Slide>[]) : []
  if (
    given.some(
      (slide) => flawOfId(slide.id, [], features) || flawOfId(slide.presentation, [], features),
    )
  )
    return crashed()

  const changes = {
    ...(typeof n_slides === 'number' ? { n_slides } : {}),
    ...(typeof title === 'string' ? { title } : {}),
    ...(features.patchLosesTheme ? { theme: theme ?? null } : {}),
    ...(given.length > 0 ? { slides: given.map((slide) => whole(slide)) } : {}),
  }
  const before = JSON.stringify({ ...deck, ...changes }) !== JSON.stringify(deck)
  Object.assign(deck, changes, before ? { updated_at: stamp() } : {})
  const echoed = given.map((slide) => echoedSlide(whole(slide), features))
  return json({
    ...shownRow(deck, echoed, features),
    updated_at: before ? `${deck.updated_at}Z` : deck.updated_at,
  })
}

function whole(slide: Partial<Slide>): Slide {
  const rest = { speaker_note: null, ui: null, html_content: null, properties: null }
  return { ...rest, ...slide } as Slide
}

/** Only for the deck that an edit names. */
export function replaceContents(
  deck: Deck,
  changes: readonly { index: number; content: Record<string, unknown> }[],
): boolean {
  if (changes.some(({ index }) => !deck.slides[index])) return false
  for (const { index, content } of changes) (deck.slides[index] as Slide).content = content
  return true
}

export function slideNotFound(): Reply {
  return detail(400, 'Slide not found')
}
