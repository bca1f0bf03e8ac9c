// Seeded random numbers, so that a failed chaos test can be repeated.

export type Random = ReturnType<typeof createRandom>

/** mulberry32: small, and random enough to choose disruptions. */
export function createRandom(seed: number) {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    /** At least 0, less than 1. */
    next,
    chance: (probability: number) => next() < probability,
    /** An integer; both ends are included. */
    between: (min: number, max: number) => min + Math.floor(next() * (max - min + 1)),
    pick<T>(items: readonly T[]): T {
      const picked = items[Math.floor(next() * items.length)]
      if (picked === undefined) throw new Error('cannot pick from an empty list')
      return picked
    },
    /** An independent generator: its draws do not change those of others. */
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  }
}
