// What upstream has under a name, asked once for all runs and remembered for a bounded time.

import { raceSignal } from '../async/signals.ts'
import { setNewest } from '../domain/bounded-map.ts'

const freshMs = 600_000
const missingMs = 60_000
const maxEntries = 200

interface Entry<T> {
  found: Promise<T | undefined>
  freshUntilMs: number
}

export function createLookupCache<T>({ now }: { now(): number }) {
  const entries = new Map<string, Entry<T>>()

  /**
   * What `fetch` finds. Undefined, which means that there is no such thing, is remembered for a
   * minute, a failure not at all. The fetch goes on for the others when one caller aborts.
   */
  return function find(
    name: string,
    fetch: () => Promise<T | undefined>,
    signal: AbortSignal,
  ): Promise<T | undefined> {
    const known = entries.get(name)
    if (known && now() < known.freshUntilMs) return raceSignal(known.found, signal)
    const entry = { found: fetch(), freshUntilMs: now() + freshMs }
    entry.found.then(
      (found) => {
        if (found === undefined) entry.freshUntilMs = now() + missingMs
      },
      () => entries.get(name) === entry && entries.delete(name),
    )
    setNewest(entries, name, entry, maxEntries)
    return raceSignal(entry.found, signal)
  }
}
