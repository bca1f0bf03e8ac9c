// The bodies of saves. Only the members named here go upstream, each of its type: what else the
// interface sends is upstream's own response, sent back.

import type { InvalidPlace } from '../../contract/problem.ts'
import { Problem } from '../../domain/problem.ts'
import { findUnstorable } from '../../presentations/slides/check-change.ts'
import type { SavedSlide } from '../../presentations/slides/plan-save.ts'
import { isObject } from '../../presenton/deck-responses.ts'
import { parseDeckId } from '../deck-ids.ts'

const isText = (value: unknown) => typeof value === 'string'
const isObjectOrNull = (value: unknown) => value === null || isObject(value)

const members = {
  index: (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0,
  layout_group: isText,
  layout: isText,
  content: isObject,
  speaker_note: (value: unknown) => value === null || isText(value),
  ui: isObjectOrNull,
  properties: isObjectOrNull,
} satisfies Record<string, (value: unknown) => boolean>

/** Upstream itself takes no more. */
const maxSlides = 1_000

const refuse = (errors: InvalidPlace[]) => new Problem('VALIDATION_FAILED', { errors })
const invalid = (path: string, message: string) => refuse([{ path, message }])

/** @throws Problem VALIDATION_FAILED, NOT_FOUND (its id is malformed) */
export function readSlide(value: unknown, path: string): SavedSlide {
  if (!isObject(value)) throw invalid(path, 'must be an object')
  const id = typeof value.id === 'string' ? parseDeckId(value.id) : undefined
  if (id === undefined) throw new Problem('NOT_FOUND')
  const given = Object.entries(members).flatMap(([name, isRight]) => {
    const member = value[name]
    if (member === undefined) return []
    if (!isRight(member)) throw invalid(`${path}/${name}`, 'has the wrong type')
    return [[name, member] as const]
  })
  const slide = { id, ...Object.fromEntries(given) }
  const errors = findUnstorable(slide, path)
  if (errors.length > 0) throw refuse(errors)
  return slide
}

/**
 * The slides of a deck in their order; none where the body has none.
 *
 * @throws Problem VALIDATION_FAILED, NOT_FOUND
 */
export function readSlides(value: unknown): SavedSlide[] {
  if (value === undefined || value === null) return []
  if (!Array.isArray(value)) throw invalid('/slides', 'must be a list')
  if (value.length > maxSlides) throw invalid('/slides', `must have at most ${maxSlides} items`)
  const slides = value.map((slide, index) => readSlide(slide, `/slides/${index}`))
  const ids = new Set(slides.map(({ id }) => id))
  if (ids.size < slides.length) throw invalid('/slides', 'must name each slide once')
  const places = new Set(slides.map((slide) => slide['index']))
  // Upstream orders slides by their index; the order of the list says the same unless it is
  // missing.
  const hasPlaces = places.size === slides.length && !places.has(undefined)
  return hasPlaces
    ? slides.toSorted((one, other) => Number(one['index']) - Number(other['index']))
    : slides
}

/** Undefined where the body has none. @throws Problem VALIDATION_FAILED */
export function readTheme(value: unknown): Record<string, unknown> | undefined {
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw invalid('/theme', 'must be an object')
  const errors = findUnstorable(value, '/theme')
  if (errors.length > 0) throw refuse(errors)
  return value
}
