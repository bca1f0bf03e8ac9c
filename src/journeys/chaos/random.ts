// Random numbers that come again with their seed, so that a failing run of the chaos can be looked
// at again.

export type Random = ReturnType<typeof createRandom>

/** mulberry32: small, and good enough to choose disturbances by. */
export function createRandom(seed: number) {
  let state = seed >>> 0
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    next,
    chance: (share: number) => next() < share,
    /** A whole number, both ends included. */
    between: (least: number, most: number) => least + Math.floor(next() * (most - least + 1)),
    pick<T>(from: readonly T[]): T {
      const picked = from[Math.floor(next() * from.length)]
      if (picked === undefined) throw new Error('nothing to pick from')
      return picked
    },
    /** Another stream of numbers: what one actor draws does not change what others get. */
    fork: () => createRandom(Math.floor(next() * 2 ** 32)),
  }
}
