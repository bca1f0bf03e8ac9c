/**
 * What was asked of the stand-in and what it began to pay for: tests count here.
 */

import type { Operation } from './operation.ts'

export type Call = {
  at: Date
  method: string
  /** With the query, as it came. */
  path: string
  operation: Operation
  /** Of the answer; absent while none was begun. */
  status?: number
  deckId?: string
  /** Names in lower case. */
  headers: Record<string, string>
  /** The caller went away before the answer was whole. */
  aborted?: boolean
}

/** Paid work started, whether or not it came to an end. */
export type Spend = { outlines: number; prepares: number; slideStreams: number; exports: number }

export type Ledger = ReturnType<typeof createLedger>

export function createLedger() {
  const spend = nothing()
  const byDeck = new Map<string, Spend>()
  return {
    spend,
    spendOf: (deckId: string): Spend => byDeck.get(deckId) ?? nothing(),
    pay(kind: keyof Spend, deckId: string): void {
      const own = byDeck.get(deckId) ?? nothing()
      byDeck.set(deckId, own)
      own[kind]++
      spend[kind]++
    },
  }
}

function nothing(): Spend {
  return { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 }
}
