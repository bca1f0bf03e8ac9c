// The commands of a presentation after it was accepted: which is allowed in which state, what it
// costs, and who is notified. The table of states and operations in docs/api.md says the same.

import { sleep } from '../async/signals.ts'
import { minSlidesWithContents } from '../contract/brief.ts'
import type { ExportFormat, OutlinesResponse } from '../contract/presentation.ts'
import type { Channels } from '../database/channels.ts'
import { checkNoTurn } from '../database/chat-turns.ts'
import type { Database, Queryable } from '../database/connection.ts'
import type { EndRun } from '../database/end-run.ts'
import { isReservationReleased, reserve, reserveSlides } from '../database/ledger.ts'
import type { Quotas } from '../database/quota-usage.ts'
import { type EncodedRunWrite, reportCommitted } from '../database/run-write.ts'
import { requestEditCancel } from '../database/slide-edits.ts'
import { Problem } from '../domain/problem.ts'
import { checkQueue, type QueueLimits } from './accept.ts'
import { checkTemplate } from './check-template.ts'
import {
  createStartRun,
  type IdempotentCommand,
  type OwnedPresentation,
  publishQueued,
  type Transition,
} from './start-run.ts'
import { deletePresentation } from './statements/delete.ts'
import { countQueued, lockAdmission } from './statements/insert.ts'
import { findOutlines, type PresentationRow, readPresentation } from './statements/queries.ts'
import { queueExport, queueRetry } from './statements/queue-runs.ts'
import {
  approveOutlines,
  cancelRun,
  countRecentExports,
  keepOutlines,
  type LockedPresentation,
  lockPresentation,
  renamePresentation,
} from './statements/transitions.ts'

export interface PresentationCommandsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'publish'>
  endRun: EndRun
  queue: QueueLimits
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: (userId: string) => ReadonlySet<string> | undefined
  /** Joins the transaction of a deletion; what it returns is called after the commit. */
  reportRemoval: (client: Queryable, own: OwnedPresentation) => Promise<() => void>
}

/** What an approval may replace. */
export interface Approval {
  outlines?: string[] | undefined
  title?: string | undefined
  template?: string | undefined
}

export type PresentationCommands = ReturnType<typeof createPresentationCommands>

const exportsPerHour = 10
const maxCancelWaitMs = 10_000
const cancelPollMs = 50

export function createPresentationCommands(options: PresentationCommandsOptions) {
  const { database, channels, endRun, queue, quotas, knownTemplates, reportRemoval } = options
  const startRun = createStartRun(options)

  /** Runs a transition under the lock and returns the new row. */
  async function change(own: OwnedPresentation, transition: Transition): Promise<PresentationRow> {
    return database.transaction(async (client) => {
      await transition(client, await lockPresentation(client, own))
      return readPresentation(client, own.id)
    })
  }

  /** The worker that holds the run learns at once; a slot may be free. */
  function publishRevoked(id: string) {
    channels.publish('revoked', { id })
    publishQueued(channels, id)
  }

  return {
    /**
     * Ends the run in this transaction. A cancelled presentation stays as it is. The run of an edit
     * that upstream works on ends once upstream has finished and the deck is restored.
     *
     * @throws Problem NOT_FOUND, CONFLICT (completed or failed)
     */
    async cancel(own: OwnedPresentation): Promise<PresentationRow> {
      const deadlineMs = performance.now() + maxCancelWaitMs
      for (;;) {
        let isTooLate = false
        let written: EncodedRunWrite | undefined
        const row = await change(own, async (client, locked) => {
          if (locked.status === 'completed' || locked.status === 'failed') {
            throw new Problem('CONFLICT')
          }
          if (locked.status === 'cancelled') return
          const isEdit = locked.runKind === 'edit'
          const means = isEdit ? await requestEditCancel(client, own.id) : 'end'
          isTooLate = means === 'too-late'
          if (means === 'end') written = await cancelRun(client, locked, endRun)
        })
        if (written) reportCommitted(written)
        if (!isTooLate) {
          publishRevoked(own.id)
          return row
        }
        // The edit is being kept: its run ends, or goes on to its export, in a moment.
        if (performance.now() > deadlineMs) throw new Problem('CONFLICT')
        await sleep(cancelPollMs)
      }
    },

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

    /** @throws Problem NOT_FOUND, NOT_READY (not written yet) */
    async readOutlines(own: OwnedPresentation): Promise<OutlinesResponse> {
      const found = await findOutlines(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      const { outlines, title } = found
      if (!outlines) throw new Problem('NOT_READY')
      return { outlines, title }
    },

    /**
     * Approves the outlines, or replaces them. A full queue never refuses this.
     *
     * @throws Problem NOT_FOUND, CONFLICT (not awaiting approval), VALIDATION_FAILED,
     * QUOTA_EXHAUSTED
     */
    async approveOutlines(own: OwnedPresentation, given: Approval): Promise<PresentationRow> {
      const row = await database.transaction(async (client) => {
        await client.query(lockAdmission)
        const locked = await lockPresentation(client, own)
        if (locked.status !== 'awaiting_outlines') throw new Problem('CONFLICT')
        await checkNoTurn(client, own.id)
        const { outlines = locked.outlines ?? [], title = locked.title } = given
        // Unchanged outlines may be fewer than the slides: the model adds a table of contents.
        const nSlides = given.outlines?.length ?? locked.nSlides
        checkContents(locked, nSlides)
        const reservation = { userId: own.userId, presentationId: own.id, slides: nSlides }
        await reserveSlides(client, reservation, quotas)
        const { template } = given
        if (template !== undefined) checkTemplate(template, knownTemplates(own.userId))
        await approveOutlines(client, locked, { outlines, title, template, nSlides })
        return readPresentation(client, own.id)
      })
      publishQueued(channels, own.id)
      return row
    },

    /**
     * Keeps outlines without approving them.
     *
     * @throws Problem NOT_FOUND, CONFLICT (not awaiting approval), VALIDATION_FAILED,
     * QUOTA_EXHAUSTED
     */
    saveOutlines: (own: OwnedPresentation, outlines: string[]): Promise<PresentationRow> =>
      database.transaction(async (client) => {
        await client.query(lockAdmission)
        const locked = await lockPresentation(client, own)
        if (locked.status !== 'awaiting_outlines') throw new Problem('CONFLICT')
        await checkNoTurn(client, own.id)
        checkContents(locked, outlines.length)
        const reservation = { userId: own.userId, presentationId: own.id, slides: outlines.length }
        await reserveSlides(client, reservation, quotas)
        await keepOutlines(client, locked, outlines)
        return readPresentation(client, own.id)
      }),

    /** The outlines were approved, or needed no approval. @throws Problem NOT_FOUND */
    async isApproved(own: OwnedPresentation): Promise<boolean> {
      const found = await findOutlines(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      return found.outlines !== null && found.isApproved
    },

    /** Also changes the file name of downloads. @throws Problem NOT_FOUND */
    rename: (own: OwnedPresentation, title: string): Promise<PresentationRow> =>
      change(own, (client, locked) => renamePresentation(client, locked, title)),

    /** Deletes the row at once; objects and upstream decks follow. @throws Problem NOT_FOUND */
    async remove(own: OwnedPresentation): Promise<void> {
      const onCommitted = await database.transaction(async (client) => {
        const locked = await lockPresentation(client, own)
        const report = await reportRemoval(client, own)
        await deletePresentation(client, locked)
        return report
      })
      publishRevoked(own.id)
      onCommitted()
    },
  }
}

/** @throws Problem VALIDATION_FAILED */
function checkContents({ includeTableOfContents }: LockedPresentation, nSlides: number): void {
  if (!includeTableOfContents || nSlides >= minSlidesWithContents) return
  const message = `must be at least ${minSlidesWithContents} with a table of contents`
  throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/outlines', message }] })
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
