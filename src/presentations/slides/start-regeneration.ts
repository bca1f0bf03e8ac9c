// Starts a run that makes the slides of a finished deck again. It waits for a change of the deck
// that is under way; from then on no other change is accepted.

import type { IdempotentResponse } from '../../database/idempotency.ts'
import { reserveSlides, reserveWindows } from '../../database/ledger.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import { checkQueue, type QueueLimits } from '../check-queue.ts'
import {
  createStartRun,
  type IdempotentCommand,
  type OwnedPresentation,
  type StartRunOptions,
} from '../start-run.ts'
import { countQueued } from '../statements/insert.ts'
import { queueRegeneration } from '../statements/queue-runs.ts'
import { readFree, whenDeckIsFree } from './when-deck-is-free.ts'

export interface StartRegenerationOptions extends StartRunOptions {
  queue: QueueLimits
  quotas: Quotas
}

export interface RegenerationRequest {
  own: OwnedPresentation
  /** The run that the caller knows as the latest; any other one starts nothing. */
  afterRun?: number | undefined
  signal: AbortSignal
}

export type StartRegeneration = ReturnType<typeof createStartRegeneration>

export function createStartRegeneration(options: StartRegenerationOptions) {
  const { queue, quotas } = options
  const startRun = createStartRun(options)

  /**
   * @throws Problem NOT_FOUND, CONFLICT, NOT_SUPPORTED (no saved outlines), QUOTA_EXCEEDED,
   * QUOTA_EXHAUSTED, QUEUE_FULL
   */
  return function startRegeneration(
    { own, afterRun, signal }: RegenerationRequest,
    command: IdempotentCommand,
  ): Promise<IdempotentResponse> {
    const attempt = () =>
      startRun(own, command, async (client, found) => {
        if (afterRun !== undefined && afterRun !== found.run) throw new Problem('CONFLICT')
        const locked = await readFree(client, found)
        const { outlines, slidesDone, deckId } = locked
        if (deckId === null || !outlines) throw new Problem('NOT_SUPPORTED')
        checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
        // The deck counts in the totals until it is replaced, and so does what replaces it.
        const slides = Math.max(slidesDone, outlines.length)
        await reserveSlides(client, { userId: own.userId, presentationId: own.id, slides }, quotas)
        const reservationId = await reserveWindows(client, own.userId, quotas)
        await queueRegeneration(client, locked, reservationId)
      })
    return whenDeckIsFree(signal, attempt)
  }
}
