// Sessions that this process has seen live. One may have ended since, so what uses them must let the
// database say so before anything happens: it spares the round trip, not the check.

import { setNewest } from '../domain/bounded-map.ts'
import { hashOf, type MakerSession } from './statements/sessions.ts'

const maxSessions = 10_000

export type SessionMemory = ReturnType<typeof createSessionMemory>

export function createSessionMemory() {
  /** By hash, ordered by use. */
  const sessions = new Map<string, MakerSession>()

  return {
    find(id: string): MakerSession | undefined {
      const session = sessions.get(hashOf(id))
      return session && session.expiresAt.getTime() > Date.now() ? session : undefined
    },

    remember: (session: MakerSession): void =>
      setNewest(sessions, session.hash, session, maxSessions),
  }
}
