// Removes objects from the store and decks from upstream that are no longer needed. The list stands
// in Postgres until each is gone, so neither a crash nor an outage forgets one.

import type { Database } from '../database/connection.ts'
import { deleteDeckRecord, findRemovableDecks, postponeDeck } from '../database/decks.ts'
import { deleteUploadRecord, findRemovableUploads, postponeUpload } from '../database/uploads.ts'
import { Problem } from '../domain/problem.ts'
import { storeErrorCode } from '../objects/calls.ts'
import type { ObjectStore } from '../objects/store.ts'
import { sharedAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'

export interface RemovalOptions {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'remove'>
  presenton: Pick<Presenton, 'deleteDeck'>
  logger: Pick<Logger, 'warn'>
  signal: AbortSignal
}

/** One kind of thing to remove. */
interface Target {
  find: () => Promise<string[]>
  remove: (name: string) => Promise<void>
  forget: (name: string) => Promise<void>
  postpone: (name: string) => Promise<void>
}

export type Removals = ReturnType<typeof createRemovals>

// A refusal is likely to repeat. A target that fails this often in a row waits for the next round.
const postponedMinutes = 10
const maxFailures = 5

/** Each function does one round, and rejects when its target is away. */
export function createRemovals({ database, objects, presenton, logger, signal }: RemovalOptions) {
  async function removeAll({ find, remove, forget, postpone }: Target): Promise<void> {
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
          logger.warn({ err: error, name }, 'a removal failed and is postponed')
          await postpone(name)
        }
      }
    }
  }

  return {
    objects: () =>
      removeAll({
        find: () => findRemovableUploads(database),
        remove: (key) => objects.remove(key, signal),
        forget: (key) => deleteUploadRecord(database, key),
        postpone: (key) => postponeUpload(database, key, postponedMinutes),
      }),
    decks: () =>
      removeAll({
        find: () => findRemovableDecks(database),
        remove: (deckId) => presenton.deleteDeck({ account: sharedAccount, signal, deckId }),
        forget: (deckId) => deleteDeckRecord(database, deckId),
        postpone: (deckId) => postponeDeck(database, deckId, postponedMinutes),
      }),
  }
}

/** The target is away, so nothing else can be removed there either. Also true for the database. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Problem)) return true
  if (error.code === 'STORAGE_UNAVAILABLE') return !isRefusal(storeErrorCode(error))
  return error.failure === 'outage' || error.code === 'DATABASE_UNAVAILABLE'
}

/** A code of the store, such as AccessDenied; codes of a connection are in capitals. */
function isRefusal(code = ''): boolean {
  return /[a-z]/.test(code) && code !== 'SlowDown' && code !== 'ServiceUnavailable'
}
