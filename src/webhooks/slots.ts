// The attempts of one replica that are under way, and which of them free their slot. Slots are
// kept for receivers that have not just failed. A receiver that takes long while such a one waits
// counts as slow: its attempt goes on in the slow lane, or ends there and is made again.

import type { ClaimedDelivery } from './statements/claim.ts'

export interface Flight {
  delivery: ClaimedDelivery
  /** In ms, of a clock that never goes back. */
  startedMs: number
  isSlow: boolean
  abandon: AbortController
  done: Promise<void>
}

export const maxFlights = 50
/** The other slots are kept for receivers that have not just failed. */
const maxSlowFlights = 20

/** How long an attempt keeps its slot although others wait. */
const minPatienceMs = 500
const maxPatienceMs = 5_000
/** A receiver that is known may take a multiple of its usual time. */
const patienceFactor = 3

export type Slots = ReturnType<typeof createSlots>

export function createSlots({ now = () => performance.now() }: { now?: () => number } = {}) {
  const flights = new Map<string, Flight>()
  const all = () => [...flights.values()]
  const countSlow = () => all().filter(({ isSlow }) => isSlow).length

  return {
    all,
    now,
    add: (flight: Flight) => void flights.set(flight.delivery.token, flight),
    remove: (flight: Flight) => void flights.delete(flight.delivery.token),
    isFull: () => flights.size >= maxFlights,

    /** How many deliveries of each lane may start. The fast lane may use all slots. */
    free() {
      const fast = maxFlights - flights.size
      return { fast, slow: Math.max(0, Math.min(fast, maxSlowFlights - countSlow())) }
    },

    /**
     * Which attempts make room for `waiting` deliveries: those that `stay` keep their slot in the
     * slow lane, those that `end` free it. The oldest come first.
     */
    makeRoom(waiting: number): { stay: Flight[]; end: Flight[] } {
      const suspects = all()
        .filter((flight) => !flight.isSlow && now() - flight.startedMs > patienceOf(flight))
        .sort((one, other) => one.startedMs - other.startedMs)
      const stay = suspects.slice(0, Math.max(0, maxSlowFlights - countSlow()))
      return { stay, end: suspects.slice(stay.length, stay.length + waiting) }
    },
  }
}

function patienceOf({ delivery: { responseMs } }: Flight): number {
  const usual = (responseMs ?? 0) * patienceFactor
  return Math.min(maxPatienceMs, Math.max(minPatienceMs, usual))
}
