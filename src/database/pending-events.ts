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
  bytes: number
  encode: TextEvent['encode']
}

/** The most text of one event, in bytes of JSON. With the other members an event has ≤ 16 KiB. */
const maxTextBytes = 15 * 1024

/** In UTF-16 code units, each of which is at most six bytes of JSON. */
const maxPieceChars = 1024

const isText = (event: RunEvent): event is TextEvent => 'encode' in event

export function createPendingEvents() {
  const entries: (EncodedEvent | JoinedText)[] = []
  let chars = 0

  function addText({ kind, text, encode }: TextEvent) {
    for (let from = 0; from < text.length; ) {
      const piece = text.slice(from, endOfPiece(text, from))
      addPiece(piece, kind, encode)
      from += piece.length
    }
  }

  function addPiece(piece: string, kind: string, encode: TextEvent['encode']) {
    const bytes = Buffer.byteLength(JSON.stringify(piece)) - 2
    const joined = joinable(kind, bytes)
    if (joined) {
      joined.pieces.push(piece)
      joined.bytes += bytes
    } else entries.push({ kind, pieces: [piece], bytes, encode })
  }

  /** The last entry, if it is a text of this kind with room for `bytes` more. */
  function joinable(kind: string, bytes: number): JoinedText | undefined {
    const last = entries.at(-1)
    if (!last || !('pieces' in last) || last.kind !== kind) return undefined
    return last.bytes + bytes <= maxTextBytes ? last : undefined
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

/** The end of the piece that starts at `from`. It splits no surrogate pair. */
function endOfPiece(text: string, from: number): number {
  const end = Math.min(text.length, from + maxPieceChars)
  const isSplit = end < text.length && /[\ud800-\udbff]/.test(text.charAt(end - 1))
  return isSplit ? end - 1 : end
}
