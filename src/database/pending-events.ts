// The events of a write that waits for the database. Neighbouring texts of one kind become one
// event. Their pieces are collected and encoded once: joining encoded texts would be quadratic.

import type { EncodedEvent } from '../contract/events.ts'

/** A piece of a text that comes bit by bit, such as the tokens of a model. */
export interface TextEvent {
  kind: string
  text: string
  encode: (text: string) => EncodedEvent
}

export type RunEvent = EncodedEvent | TextEvent

interface JoinedText {
  kind: string
  pieces: string[]
  chars: number
  encode: TextEvent['encode']
}

/** The most text of one event, in UTF-16 code units. */
const maxTextChars = 16 * 1024

const isText = (event: RunEvent): event is TextEvent => 'encode' in event

export function createPendingEvents() {
  const entries: (EncodedEvent | JoinedText)[] = []
  let chars = 0

  function addText({ kind, text, encode }: TextEvent) {
    for (let from = 0; from < text.length; ) {
      const joined = joinable(kind) ?? { kind, pieces: [], chars: 0, encode }
      if (joined.pieces.length === 0) entries.push(joined)
      const piece = text.slice(from, endOfPiece(text, from, maxTextChars - joined.chars))
      joined.pieces.push(piece)
      joined.chars += piece.length
      from += piece.length
    }
  }

  /** The last entry, if it is a text of this kind with room for at least one character. */
  function joinable(kind: string): JoinedText | undefined {
    const last = entries.at(-1)
    if (!last || !('pieces' in last) || last.kind !== kind) return undefined
    return last.chars + 2 <= maxTextChars ? last : undefined
  }

  return {
    add(event: RunEvent): void {
      if (isText(event)) {
        chars += event.text.length
        addText(event)
      } else {
        chars += event.data.length
        entries.push(event)
      }
    },

    /** How much text waits, in UTF-16 code units. */
    chars: () => chars,

    encode: (): EncodedEvent[] =>
      entries.map((entry) => ('pieces' in entry ? entry.encode(entry.pieces.join('')) : entry)),
  }
}

/** The end of a piece of at most `room` (≥ 2) code units that splits no surrogate pair. */
function endOfPiece(text: string, from: number, room: number): number {
  const end = Math.min(text.length, from + room)
  const isSplit = end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))
  return isSplit ? end - 1 : end
}
