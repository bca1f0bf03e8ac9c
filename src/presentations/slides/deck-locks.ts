// Takes the lock of a deck for one change, waiting for the changes before it. The lock is renewed
// until it is released, also while upstream is slow.

import { randomUUID } from 'node:crypto'
import type { Database, Queryable } from '../../database/connection.ts'
import {
  type DeckLock,
  noteIntent,
  releaseDeck,
  renewDeck,
  takeDeck,
  takeDeckAtOnce,
} from '../../database/deck-changes.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import { lockPresentation } from '../statements/transitions.ts'
import { type ChangeableDeck, checkRevision, readChangeable } from './check-revision.ts'
import { checkFree, whenDeckIsFree } from './when-deck-is-free.ts'

export interface DeckLocksOptions {
  database: Pick<Database, 'query' | 'transaction'>
  leaseMs: number
}

export interface TakeDeckOptions {
  own: { userId: string; id: string }
  ifMatch?: IfMatch | undefined
  signal: AbortSignal
  waitMs?: number
  /** A save of upstream's interface, which may come while its own chat works on the deck. */
  passesTurns?: boolean
  /** Joins the transaction that takes the lock. Its error leaves the deck free. */
  work?: (client: Queryable) => Promise<void>
}

/** A finished deck as the caller knows it. */
export interface DeckAsKnown {
  own: TakeDeckOptions['own']
  deckId: string
  account: string | null
  revision: number
  slideCount: number
  /** The session of the slide maker that must be live; undefined where the caller knows it is. */
  session?: string | undefined
}

export type DeckLocks = ReturnType<typeof createDeckLocks>

export type HeldDeck = Awaited<ReturnType<DeckLocks['take']>>

/**
 * A database that crashes may forget the lock. Its holder finds out when it notes its intent, which
 * waits for the disk.
 */
const withoutFlush = 'set local synchronous_commit = off'

/** The holder's lock has expired, for example because this process was paused. */
export const deckLockLost = () =>
  new Problem('CONFLICT', { cause: new Error('The lock of the deck was lost.') })

export function createDeckLocks({ database, leaseMs }: DeckLocksOptions) {
  /** Renews the lock until it is released. */
  function hold(
    own: TakeDeckOptions['own'],
    lock: DeckLock,
    { askedMs, ...deck }: ChangeableDeck & { askedMs: number },
  ) {
    // By this process's clock: the database counts from a later moment.
    let heldUntilMs = askedMs + leaseMs
    const extend = async (work: () => Promise<boolean>) => {
      const sinceMs = performance.now()
      const isHeld = await work()
      if (isHeld) heldUntilMs = sinceMs + leaseMs
      return isHeld
    }
    const timer = setInterval(
      () => void extend(() => renewDeck(database, lock, leaseMs)).catch(() => undefined),
      leaseMs / 3,
    )
    return {
      ...deck,
      ...own,
      lock,

      /** To be awaited before upstream is asked to write. @throws Problem CONFLICT */
      async noteIntent(client: Queryable = database): Promise<void> {
        if (!(await extend(() => noteIntent(client, lock, leaseMs)))) throw deckLockLost()
      },

      /**
       * Right before upstream is asked to write: a process that was paused since its last statement
       * may have lost the lock. @throws Problem CONFLICT
       */
      checkHeld(): void {
        if (performance.now() >= heldUntilMs) throw deckLockLost()
      },

      /** Stops the renewals; the change was ended in the database. */
      close: () => clearInterval(timer),

      /** Never rejects: a lock that cannot be released expires. */
      async release(outcome: { isUnknown?: boolean } = {}): Promise<void> {
        clearInterval(timer)
        await releaseDeck(database, lock, outcome).catch(() => undefined)
      },
    }
  }

  return {
    /**
     * Takes the lock of a deck that may be changed.
     *
     * @throws Problem NOT_FOUND, CONFLICT, REVISION_CONFLICT; any error of `work`
     */
    async take(options: TakeDeckOptions) {
      const { own, ifMatch, signal, waitMs, passesTurns, work } = options
      const lock = { id: own.id, token: randomUUID() }
      const attempt = async (client: Queryable) => {
        const locked = await lockPresentation(client, own)
        readChangeable(locked)
        const { isFreed } = await checkFree(client, own.id, { passesTurns })
        const changeable = readChangeable(isFreed ? await lockPresentation(client, own) : locked)
        checkRevision(changeable.revision, ifMatch)
        await work?.(client)
        const askedMs = performance.now()
        await takeDeck(client, lock, leaseMs)
        return { ...changeable, askedMs }
      }
      const deck = await whenDeckIsFree(
        signal,
        () => database.transaction(attempt, withoutFlush),
        waitMs,
      )
      return hold(own, lock, deck)
    },

    /**
     * Takes the lock of a deck, with an intent, if the deck is free and as it is known. It does not
     * wait. Undefined: nothing was taken.
     */
    async takeAtOnce({ own, session, ...known }: DeckAsKnown) {
      const lock = { id: own.id, token: randomUUID() }
      const { deckId, revision } = known
      const expected = { userId: own.userId, deckId, revision, session, leaseMs }
      const askedMs = performance.now()
      if (!(await takeDeckAtOnce(database, lock, expected))) return undefined
      return hold(own, lock, { ...known, askedMs })
    },
  }
}
