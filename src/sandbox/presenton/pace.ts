/**
 * How fast the stand-in works: like a model, for people who watch, or without any wait, for tests.
 * Tests that need an order of events hold gates; they never rely on these times.
 */

import { setTimeout as sleep } from 'node:timers/promises'

export type Pace = {
  /** Wait before each piece of model text in the outlines stream. */
  chunkMs: number
  /** Characters in each piece. */
  chunkChars: number
  /** Wait before each slide of the slides stream. */
  slideMs: number
  prepareMs: number
  /** From the start of an export until its file is complete. */
  exportMs: number
}

export const paces = {
  /** A deck of 8 slides in about 15 s. */
  model: { chunkMs: 40, chunkChars: 24, slideMs: 900, prepareMs: 1500, exportMs: 2500 },
  fast: { chunkMs: 0, chunkChars: 24, slideMs: 0, prepareMs: 0, exportMs: 0 },
} as const satisfies Record<string, Pace>

export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}

/** Resolves after `ms`, at once for 0; rejects when the signal aborts. */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted()
  if (ms > 0) await sleep(ms, undefined, signal ? { signal } : {})
}
