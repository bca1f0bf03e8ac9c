// Waits for a change of a deck that is under way, before another change or a run that allows none.

import { jitterMs } from '../../async/backoff.ts'
import { sleep } from '../../async/signals.ts'
import { checkNoTurn } from '../../database/chat-turns.ts'
import type { Queryable } from '../../database/connection.ts'
import { freeDeck } from '../../database/deck-changes.ts'
import { Problem } from '../../domain/problem.ts'
import { type LockedPresentation, lockPresentation } from '../statements/transitions.ts'

const maxWaitMs = 10_000
const pollMs = 100

/** Another change of the deck is under way. */
const deckTaken = Symbol('deck taken')

/**
 * Throws what `whenDeckIsFree` waits for. Returns whether a change whose holder was lost has just
 * been counted.
 *
 * @throws Problem CONFLICT during a turn of the chat, unless the change `passesTurns`
 */
export async function checkFree(
  client: Queryable,
  id: string,
  { passesTurns = false }: { passesTurns?: boolean | undefined } = {},
): Promise<{ isFreed: boolean }> {
  if (!passesTurns) await checkNoTurn(client, id)
  const state = await freeDeck(client, id)
  if (state === 'taken') throw deckTaken
  return { isFreed: state === 'freed' }
}

/**
 * The presentation as it is without a change under way. Throws what `whenDeckIsFree` waits for.
 *
 * @throws Problem CONFLICT (not completed)
 */
export async function readFree(
  client: Queryable,
  { id, userId, status }: LockedPresentation,
): Promise<LockedPresentation> {
  if (status !== 'completed') throw new Problem('CONFLICT')
  await checkFree(client, id)
  // A change whose holder was lost may just have been counted.
  return lockPresentation(client, { id, userId })
}

/** Repeats `attempt` until it finds the deck free. @throws Problem CONFLICT after `waitMs` */
export async function whenDeckIsFree<Result>(
  signal: AbortSignal,
  attempt: () => Promise<Result>,
  waitMs = maxWaitMs,
): Promise<Result> {
  const deadlineMs = performance.now() + waitMs
  for (;;) {
    try {
      return await attempt()
    } catch (error) {
      if (error !== deckTaken) throw error
    }
    const leftMs = deadlineMs - performance.now()
    if (leftMs <= 0) {
      const cause = new Error('Another change of the deck takes too long.')
      throw new Problem('CONFLICT', { cause, retryAfterSeconds: 1 })
    }
    await sleep(Math.min(leftMs, jitterMs(pollMs)), signal)
  }
}
