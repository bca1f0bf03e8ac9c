/**
 * What clients requested, and how much paid work started. Tests check both.
 */

import type { Operation } from './operation.ts'

export type JournalEntry = {
  at: Date
  method: string
  /** As received, with the query. */
  path: string
  operation: Operation
  /** Of the response; absent until it starts. */
  status?: number
  deckId?: string
  /** Names in lower case. */
  headers: Record<string, string>
  /** The client disconnected before the response was complete. */
  aborted?: boolean
}

/** How much paid work started, finished or not. */
export type Spend = { outlines: number; prepares: number; slideStreams: number; exports: number }

export type SpendCounter = ReturnType<typeof createSpendCounter>

export function createSpendCounter() {
  const spend = noSpend()
  const byDeck = new Map<string, Spend>()
  let edits = 0
  let images = 0
  return {
    spend,
    /** Edits by prompt and turns of the chat. */
    edits: () => edits,
    countEdit: () => {
      edits++
    },
    images: () => images,
    countImage: () => {
      images++
    },
    spendOf: (deckId: string): Spend => byDeck.get(deckId) ?? noSpend(),
    count(kind: keyof Spend, deckId: string): void {
      const ofDeck = byDeck.get(deckId) ?? noSpend()
      byDeck.set(deckId, ofDeck)
      ofDeck[kind]++
      spend[kind]++
    },
  }
}

function noSpend(): Spend {
  return { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 }
}
