// The queue of all logins, in Postgres. Presenton's nginx may allow ten a minute, and a refused
// login is of no use, so logins beyond a few in a row wait. Where nginx has no such limit they need
// not: a GET of the login's path shows it, because nginx counts every request to that path.

import { raceSignal, sleep } from '../async/signals.ts'

/** A little slower, and with a smaller burst, than nginx: ten a minute, and five more at once. */
const defaultRate = { intervalMs: 6_200, burst: 4 }
/** One more than a limit lets through after a burst. */
const probeRequests = 3
/** Places that the probes of all replicas may have used. */
const probePlaces = 2
/** How long what was found out is trusted. */
const limitedSeconds = 60
const unlimitedSeconds = 600

/** What the queue needs of the table. */
export interface LoginPlaces {
  takeLoginPlace(rate: {
    intervalMs: number
    burst: number
  }): Promise<{ waitMs: number; isUnlimited: boolean; isLimited: boolean }>
  noteLoginLimit(found: { isLimited: boolean; seconds: number; usedMs: number }): Promise<void>
}

export interface LoginQueueOptions {
  places: LoginPlaces
  /** Asks for the login's path without logging in: whether nginx refuses even that. */
  isLimitReached(): Promise<boolean>
  closing: AbortSignal
  rate?: { intervalMs: number; burst: number } | undefined
}

export type LoginQueue = ReturnType<typeof createLoginQueue>

export function createLoginQueue({
  places,
  isLimitReached,
  closing,
  rate = defaultRate,
}: LoginQueueOptions) {
  let pendingProbe: Promise<boolean> | undefined

  const probeMs = probePlaces * rate.intervalMs
  const noteLimit = (isLimited: boolean, usedMs = 0) =>
    places.noteLoginLimit({
      isLimited,
      seconds: isLimited ? limitedSeconds : unlimitedSeconds,
      usedMs,
    })

  /** Asked while the burst is used up, so that a limit shows. */
  async function probe(): Promise<boolean> {
    for (let requests = 0; requests < probeRequests; requests += 1) {
      if (!(await isLimitReached())) continue
      await noteLimit(true, probeMs)
      return true
    }
    await noteLimit(false)
    return false
  }

  function isLimited(): Promise<boolean> {
    // Presenton may be away: then the login says so.
    pendingProbe ??= probe()
      .catch(() => true)
      .finally(() => {
        pendingProbe = undefined
      })
    return pendingProbe
  }

  return {
    /** Resolves when a login may be sent. */
    async wait(signal: AbortSignal): Promise<void> {
      const place = await places.takeLoginPlace(rate)
      if (place.waitMs <= 0) return
      if (!place.isLimited && !(await raceSignal(isLimited(), signal))) return
      const waitMs = place.isLimited ? place.waitMs : place.waitMs + probeMs
      await sleep(waitMs, AbortSignal.any([signal, closing]))
    },

    /** Others use the limit as well, or it is stricter: the next login waits for its own place. */
    noteRefused: (): Promise<void> => noteLimit(true, rate.burst * rate.intervalMs),
  }
}
