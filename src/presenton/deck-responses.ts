// What upstream gives back of a deck, checked where it comes in: ids, outlines, slides, the path of
// an export.

import { type Static, type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { fault } from './failures.ts'
import type { Message } from './messages.ts'

const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$' })
const Created = Type.Object({ id: Id })
const Exported = Type.Object({ path: Type.String({ minLength: 1, maxLength: 4096 }) })
const Slides = Type.Array(Type.Object({ index: Type.Integer({ minimum: 0 }) }))
const Deck = Type.Object({ slides: Slides })
const Outline = Type.Object({ content: Type.String() })
const Outlines = Type.Object({ slides: Type.Array(Outline, { minItems: 1 }) })
const Outlined = Type.Object({
  outlines: Outlines,
  title: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})

export interface DeckOutlines {
  /** Upstream's own title, trimmed; null where it gave none. */
  title: string | null
  outlines: string[]
}

export interface DeckSlides {
  /** The deck as upstream gives it, `slides` included. */
  presentation: Record<string, unknown>
  slides: ({ index: number } & Record<string, unknown>)[]
}

function checked<T extends TSchema>(schema: T, value: unknown, what: string): Static<T> {
  if (!Check(schema, value)) throw fault(`${what} is not of its form`)
  return value
}

export const parseCreated = (value: unknown): { deckId: string } => ({
  deckId: checked(Created, value, 'the created deck').id,
})

export const parseExported = (value: unknown): { path: string } => ({
  path: checked(Exported, value, 'the export').path,
})

export function parseDeck(value: unknown): DeckSlides {
  const { slides } = checked(Deck, value, 'the deck')
  return {
    presentation: value as DeckSlides['presentation'],
    slides: slides as DeckSlides['slides'],
  }
}

/** The body of GET /outlines/{id}; undefined while it has none. */
export function parseOutlineList(value: unknown): string[] | undefined {
  return Check(Outlines, value) ? value.slides.map(({ content }) => content) : undefined
}

/** The outlines in the `complete` of an outlines stream; none at all is a fault. */
export function parseCompletedOutlines({ value }: Message): DeckOutlines {
  const { outlines, title } = checked(Outlined, value.presentation, 'the outlines')
  return { title: title?.trim() || null, outlines: outlines.slides.map(({ content }) => content) }
}

/** The deck in the `complete` of a slides stream; one without slides is a fault. */
export function parseCompletedSlides({ value }: Message): DeckSlides {
  const deck = parseDeck(value.presentation)
  if (deck.slides.length === 0) throw fault('complete without slides')
  return deck
}

/**
 * Each index from 0 once, and at least one slide for each outline: a table of contents may add
 * some.
 */
export function hasAllSlides({ slides }: DeckSlides, outlines: number): boolean {
  const indexes = new Set(slides.map(({ index }) => index))
  const isDense =
    indexes.size === slides.length && slides.every(({ index }) => index < slides.length)
  return isDense && slides.length >= Math.max(1, outlines)
}

/** Which deck a `complete` is of, where it says. */
export function readDeckId({ value }: Message): string | undefined {
  const { id } = (value.presentation ?? {}) as { id?: unknown }
  return typeof id === 'string' ? id : undefined
}
