// Removing what nobody needs any more from where it lies outside: objects from the store, decks
// from upstream. What is to be removed stands in Postgres until it is gone, so that neither a crash
// nor an outage forgets it.
import type { Database } from '../database/connection.ts'
import { Problem } from '../domain/problem.ts'
import { storeErrorCode } from '../objects/calls.ts'
import type { ObjectStore } from '../objects/store.ts'
import { sharedAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'
import { findRemovableDecks, forgetDeck, postponeDeck } from './statements/decks.ts'
import { findRemovableUploads, forgetUploads, postponeUpload } from './statements/uploads.ts'

export interface RemovalOptions {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'remove'>
  presenton: Pick<Presenton, 'deleteDeck'>
  logger: Pick<Logger, 'warn'>
  signal: AbortSignal
}

/** One kind of thing that is removed somewhere. */
interface Target {
  find: () => Promise<string[]>
  remove: (name: string) => Promise<void>
  forget: (name: string) => Promise<void>
  postpone: (name: string) => Promise<void>
}

export type Removals = ReturnType<typeof createRemovals>

// What was refused once is likely refused again; a target that fails this often in a row is left
// alone until the next round.
const postponedMinutes = 10
const maxFailures = 5

/** Each function does one round, and rejects when its target is away. */
export function createRemovals({ database, objects, presenton, logger, signal }: RemovalOptions) {
  async function round({ find, remove, forget, postpone }: Target): Promise<void> {
    for (let failures = 0; ; ) {
      const due = await find()
      if (due.length === 0) return
      for (const name of due) {
        signal.throwIfAborted()
        try {
          await remove(name)
          await forget(name)
          failures = 0
        } catch (error) {
          signal.throwIfAborted()
          failures += 1
          if (isAway(error) || failures >= maxFailures) throw error
          logger.warn({ err: error, name }, 'something could not be removed; it is put off')
          await postpone(name)
        }
      }
    }
  }

  return {
    objects: () =>
      round({
        find: () => findRemovableUploads(database),
        remove: (key) => objects.remove(key, signal),
        forget: (key) => forgetUploads(database, [key]),
        postpone: (key) => postponeUpload(database, key, postponedMinutes),
      }),
    decks: () =>
      round({
        find: () => findRemovableDecks(database),
        remove: (deckId) => presenton.deleteDeck({ account: sharedAccount, signal, deckId }),
        forget: (deckId) => forgetDeck(database, deckId),
        postpone: (deckId) => postponeDeck(database, deckId, postponedMinutes),
      }),
  }
}

/**
 * Nobody answers, so that nothing else can be removed there now either. A database that is away is
 * no better.
 */
function isAway(error: unknown): boolean {
  if (!(error instanceof Problem)) return true
  if (error.code === 'STORAGE_UNAVAILABLE') return !isRefusal(storeErrorCode(error))
  return error.failure === 'outage' || error.code === 'DATABASE_UNAVAILABLE'
}

/** A code of the store's own, such as AccessDenied; those of a connection are in capitals. */
function isRefusal(code = ''): boolean {
  return /[a-z]/.test(code) && code !== 'SlowDown' && code !== 'ServiceUnavailable'
}
