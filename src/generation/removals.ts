// Removes objects from the store and decks from upstream that are no longer needed. The list stands
// in Postgres until each is gone, so neither a crash nor an outage forgets one.

import type { Database } from '../database/connection.ts'
import {
  deleteDeckRecord,
  findDeckOwner,
  findRemovableDecks,
  postponeDeck,
} from '../database/decks.ts'
import { deleteUploadRecord, findRemovableUploads, postponeUpload } from '../database/uploads.ts'
import { type FailureKind, Problem } from '../domain/problem.ts'
import type { ObjectStore } from '../objects/store.ts'
import { isRefusal } from '../objects/store-problem.ts'
import { accountOfRow, sharedAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'

export interface RemovalOptions {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'remove'>
  presenton: Pick<Presenton, 'deleteDeck'>
  logger: Pick<Logger, 'warn'>
  signal: AbortSignal
  /** In ms, of a clock that never goes back. */
  now?: () => number
}

/** One kind of thing to remove. */
interface Target {
  find: () => Promise<string[]>
  remove: (name: string) => Promise<void>
  forget: (name: string) => Promise<void>
  postpone: (name: string, minutes: number) => Promise<void>
}

export type Removals = ReturnType<typeof createRemovals>

// A refusal is likely to repeat: missing rights last until someone grants them, and the retention
// of a locked object may last for years. So each removal is postponed for twice the time of the one
// before.
const firstPostponedMinutes = 10
const maxPostponedMinutes = 24 * 60
/** A target that fails this often in a row waits for the next round. */
const maxFailures = 5
/** For a store that refuses: its next round. */
const pauseMs = 10 * 60_000
/** More names are forgotten, and then postponed as if for the first time. */
const maxKnownNames = 10_000

/** Each function does one round, and rejects when its target is away. */
export function createRemovals({
  database,
  objects,
  presenton,
  logger,
  signal,
  now = () => performance.now(),
}: RemovalOptions) {
  const postponedMinutes = new Map<string, number>()
  let objectsPausedUntilMs = Number.NEGATIVE_INFINITY

  function nextPostponement(name: string): number {
    const before = postponedMinutes.get(name)
    const minutes = before ? Math.min(maxPostponedMinutes, before * 2) : firstPostponedMinutes
    if (postponedMinutes.size >= maxKnownNames) postponedMinutes.clear()
    postponedMinutes.set(name, minutes)
    return minutes
  }

  async function removeAll({ find, remove, forget, postpone }: Target): Promise<void> {
    for (let failures = 0; ; ) {
      const due = await find()
      if (due.length === 0) return
      for (const name of due) {
        signal.throwIfAborted()
        try {
          await remove(name)
          await forget(name)
          postponedMinutes.delete(name)
          failures = 0
        } catch (error) {
          signal.throwIfAborted()
          failures += 1
          if (isAway(error)) throw error
          const isLast = failures >= maxFailures
          if (isLast && !isRefusal(error)) throw error
          const minutes = nextPostponement(name)
          logger.warn({ err: error, name, minutes }, 'a removal failed and is postponed')
          await postpone(name, minutes)
          if (isLast) throw error
        }
      }
    }
  }

  return {
    async objects(): Promise<void> {
      if (now() < objectsPausedUntilMs) return
      try {
        await removeAll({
          find: () => findRemovableUploads(database),
          remove: (key) => objects.remove(key, signal),
          forget: (key) => deleteUploadRecord(database, key),
          postpone: (key, minutes) => postponeUpload(database, key, minutes),
        })
      } catch (error) {
        if (isRefusal(error)) objectsPausedUntilMs = now() + pauseMs
        throw error
      }
    },
    decks: () =>
      removeAll({
        find: () => findRemovableDecks(database),
        async remove(deckId) {
          const owner = await findDeckOwner(database, deckId)
          const account = owner ? accountOfRow(owner) : sharedAccount
          await presenton.deleteDeck({ account, signal, deckId })
        },
        forget: (deckId) => deleteDeckRecord(database, deckId),
        postpone: (deckId, minutes) => postponeDeck(database, deckId, minutes),
      }),
  }
}

/** The target is away, so nothing else can be removed there either. Also true for the database. */
function isAway(error: unknown): boolean {
  if (!(error instanceof Problem)) return true
  if (error.code === 'STORAGE_UNAVAILABLE') return !isRefusal(error)
  const kinds: (FailureKind | undefined)[] = ['outage', 'credentials', 'limit']
  return kinds.includes(error.failure) || error.code === 'DATABASE_UNAVAILABLE'
}
