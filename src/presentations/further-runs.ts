// Commands that queue a further run of a presentation: a retry, and a file of another format. What
// they cost is checked in the transaction that queues the run.

import type { ExportFormat } from '../contract/presentation.ts'
import { checkNoTurn } from '../database/chat-turns.ts'
import type { Queryable } from '../database/connection.ts'
import { isReservationReleased, reserve, reserveSlides } from '../database/ledger.ts'
import type { Quotas } from '../database/quota-usage.ts'
import { Problem } from '../domain/problem.ts'
import { checkQueue, type QueueLimits } from './check-queue.ts'
import {
  createStartRun,
  type IdempotentCommand,
  type OwnedPresentation,
  type StartRunOptions,
} from './start-run.ts'
import { countQueued } from './statements/insert.ts'
import { queueExport, queueRetry } from './statements/queue-runs.ts'
import { countRecentExports, type LockedPresentation } from './statements/transitions.ts'

export interface FurtherRunsOptions extends StartRunOptions {
  queue: QueueLimits
  quotas: Quotas
}

const exportsPerHour = 10

export function createFurtherRuns(options: FurtherRunsOptions) {
  const { queue, quotas } = options
  const startRun = createStartRun(options)

  return {
    /**
     * Continues a failed or cancelled presentation.
     *
     * @throws Problem NOT_FOUND, CONFLICT, QUEUE_FULL, QUOTA_EXCEEDED, QUOTA_EXHAUSTED
     */
    retry: (own: OwnedPresentation, command: IdempotentCommand) =>
      startRun(own, command, async (client, locked) => {
        if (locked.status !== 'failed' && locked.status !== 'cancelled') {
          throw new Problem('CONFLICT')
        }
        const reservation = { userId: own.userId, presentationId: own.id, slides: locked.nSlides }
        if (await isReservationReleased(client, own.id)) await reserve(client, reservation, quotas)
        // A run that failed half-way is only charged for the slides it made.
        else if (!locked.slidesFinished) await reserveSlides(client, reservation, quotas)
        checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
        await queueRetry(client, locked)
      }),

    /**
     * Makes a further file of a completed deck.
     *
     * @throws Problem NOT_FOUND, CONFLICT, QUEUE_FULL, RATE_LIMIT_EXCEEDED
     */
    exportAgain: (own: OwnedPresentation, format: ExportFormat, command: IdempotentCommand) =>
      startRun(own, command, async (client, locked) => {
        if (locked.status !== 'completed') throw new Problem('CONFLICT')
        await checkNoTurn(client, own.id)
        await checkExportRate(client, locked)
        checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
        await queueExport(client, locked, format)
      }),
  }
}

async function checkExportRate(client: Queryable, locked: LockedPresentation): Promise<void> {
  if (locked.exportTimes.length < exportsPerHour) return
  const { count, seconds } = await countRecentExports(client, locked)
  if (count < exportsPerHour) return
  throw new Problem('RATE_LIMIT_EXCEEDED', {
    cause: new Error(`A presentation can be exported ${exportsPerHour} times an hour.`),
    retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
  })
}
