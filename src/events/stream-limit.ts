// Limits how many streams may be open, in this process and for each user.

import { Problem } from '../domain/problem.ts'

export interface StreamLimits {
  maxStreams: number
  maxStreamsPerUser: number
}

const retryAfterSeconds = 5

export function createStreamLimit({ maxStreams, maxStreamsPerUser }: StreamLimits) {
  const perUser = new Map<string, number>()
  let open = 0

  return {
    open: () => open,

    /**
     * Counts a stream until the returned function is called; further calls do nothing.
     *
     * @throws Problem TOO_MANY_STREAMS
     */
    take(userId: string): () => void {
      const own = perUser.get(userId) ?? 0
      if (open >= maxStreams || own >= maxStreamsPerUser) {
        throw new Problem('TOO_MANY_STREAMS', { retryAfterSeconds })
      }
      open += 1
      perUser.set(userId, own + 1)
      let isReleased = false
      return () => {
        if (isReleased) return
        isReleased = true
        open -= 1
        const left = (perUser.get(userId) ?? 1) - 1
        if (left > 0) perUser.set(userId, left)
        else perUser.delete(userId)
      }
    },
  }
}
