// What upstream returns about a deck, checked on receipt: its id, outlines and slides, and the path
// of an export.

import { type Static, type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { fault } from './failures.ts'
import type { Message } from './messages.ts'

const Id = Type.String({ pattern: '^[A-Za-z0-9_-]{1,100}$' })
const CreatedDeck = Type.Object({ id: Id })
const Export = Type.Object({ path: Type.String({ minLength: 1, maxLength: 4096 }) })
const Slide = Type.Object({ index: Type.Integer({ minimum: 0 }) })
const Slides = Type.Array(Slide)
const Deck = Type.Object({ slides: Slides })
const NewDeck = Type.Object({ id: Id, slides: Slides })
const ImagePath = Type.String({ minLength: 1, maxLength: 4096 })
const ChatTurn = Type.Object({
  conversation_id: Id,
  tool_calls: Type.Optional(Type.Array(Type.String())),
})
const Outline = Type.Object({ content: Type.String() })
const DeckOutlineList = Type.Object({ slides: Type.Array(Outline) })
const CompletedOutlines = Type.Object({
  outlines: Type.Object({ slides: Type.Array(Outline, { minItems: 1 }) }),
  title: Type.Optional(Type.Union([Type.String(), Type.Null()])),
})

export interface DeckOutlines {
  /** Upstream's own title, trimmed; null if it has none. */
  title: string | null
  outlines: string[]
}

export type UpstreamSlide = { index: number } & Record<string, unknown>

export interface DeckSlides {
  /** The deck as upstream returns it, `slides` included. */
  presentation: Record<string, unknown>
  slides: UpstreamSlide[]
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function checkResponse<T extends TSchema>(schema: T, value: unknown, name: string): Static<T> {
  if (!Check(schema, value)) throw fault(`${name} has an unexpected shape`)
  return value
}

export const parseCreatedDeck = (
  value: unknown,
): { deckId: string; created: Record<string, unknown> } => ({
  deckId: checkResponse(CreatedDeck, value, 'the created deck').id,
  created: value as Record<string, unknown>,
})

/** A deck that was made with its slides. */
export function parseNewDeck(value: unknown): DeckSlides & { deckId: string } {
  const { id: deckId } = checkResponse(NewDeck, value, 'the new deck')
  return { deckId, ...parseDeck(value) }
}

/** Where upstream has an image that it generated. */
export const parseImagePath = (value: unknown): string =>
  checkResponse(ImagePath, value, 'the generated image')

export const parseExport = (value: unknown): { path: string } => ({
  path: checkResponse(Export, value, 'the export').path,
})

/** The outlines of a deck; none before they are written. */
export const parseOutlines = (value: unknown): string[] =>
  checkResponse(DeckOutlineList, value, 'the outlines').slides.map(({ content }) => content)

/** What a turn of the chat has used. */
export function parseChatTurn(value: unknown): { conversationId: string; tools: string[] } {
  const turn = checkResponse(ChatTurn, value, 'the turn of the chat')
  return { conversationId: turn.conversation_id, tools: turn.tool_calls ?? [] }
}

export function parseDeck(value: unknown): DeckSlides {
  const { slides } = checkResponse(Deck, value, 'the deck')
  return {
    presentation: value as DeckSlides['presentation'],
    slides: (slides as UpstreamSlide[]).toSorted((one, other) => one.index - other.index),
  }
}

export const parseSlide = (value: unknown): UpstreamSlide =>
  checkResponse(Slide, value, 'the slide') as UpstreamSlide

/** The outlines in the `complete` message of an outlines stream. None at all is a fault. */
export function parseCompletedOutlines({ value }: Message): DeckOutlines {
  const { outlines, title } = checkResponse(CompletedOutlines, value.presentation, 'the outlines')
  return { title: title?.trim() || null, outlines: outlines.slides.map(({ content }) => content) }
}

/** The deck in the `complete` message of a slides stream. A deck without slides is a fault. */
export function parseCompletedSlides({ value }: Message): DeckSlides {
  const deck = parseDeck(value.presentation)
  if (deck.slides.length === 0) throw fault('complete without slides')
  return deck
}

/**
 * Whether the deck has each index from 0 once, and at least one slide for each outline. A table of
 * contents may add slides.
 */
export function hasAllSlides({ slides }: DeckSlides, outlineCount: number): boolean {
  const indexes = new Set(slides.map(({ index }) => index))
  const isDense =
    indexes.size === slides.length && slides.every(({ index }) => index < slides.length)
  return isDense && slides.length >= Math.max(1, outlineCount)
}

/** The id of the deck in a `complete` message; undefined if it has none. */
export function completedDeckIdOf({ value }: Message): string | undefined {
  const { id } = (value.presentation ?? {}) as { id?: unknown }
  return typeof id === 'string' ? id : undefined
}
