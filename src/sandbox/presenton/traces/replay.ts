/**
 * Answers a run with the bytes of recorded traffic instead of the stand-in's own words.
 */

import type { Deck } from '../deck.ts'
import type { Frame } from '../faults/fault.ts'

export type Replay = {
  adopt(deck: Deck): string
  outlines(deck: Deck): AsyncIterable<Frame>
  slides(deck: Deck): AsyncIterable<Frame>
  read(deck: Deck): string | undefined
}

export type Recording = 'v0.7.3' | 'v0.9.3'
export const recordedShape = { 'v0.7.3': 'A1', 'v0.9.3': 'B1' } as const
export function openReplay(_: Recording): Replay {
  throw new Error('not yet')
}
