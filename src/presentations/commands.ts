// The life of a presentation after it was accepted, as its owner directs it: which operation is
// allowed in which state, what it costs, and who has to be woken. The table of states and
// operations in the README is this file in words.

import { minSlidesWithContents } from '../contract/brief.ts'
import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { respondOnce } from '../database/idempotency.ts'
import type { IdempotentRequest } from '../database/idempotency-keys.ts'
import { isReservationReleased, type Quotas, reserve, reserveSlides } from '../database/ledger.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import { checkQueue, type QueueLimits } from './accept.ts'
import { countQueued, lockAdmission } from './statements/insert.ts'
import { findOutlines, type PresentationRow, readPresentation } from './statements/queries.ts'
import {
  approveOutlines,
  cancelRun,
  deletePresentation,
  type LockedPresentation,
  lockPresentation,
  queueExport,
  queueRetry,
  renamePresentation,
} from './statements/transitions.ts'

export interface PresentationCommandsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Channels
  queue: QueueLimits
  quotas: Quotas
}

/** One's own presentation; anybody else's is as absent as one that does not exist. */
export interface OwnedPresentation {
  userId: string
  id: string
}

interface IdempotentCommand {
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  respond: (row: PresentationRow) => StoredResponse
}

export type PresentationCommands = ReturnType<typeof createPresentationCommands>

const exportsPerHour = 10

export function createPresentationCommands({
  database,
  channels,
  queue,
  quotas,
}: PresentationCommandsOptions) {
  /** One transition, under the lock. */
  async function change(
    own: OwnedPresentation,
    transition: (client: Queryable, locked: LockedPresentation) => Promise<void>,
  ): Promise<PresentationRow> {
    return database.transaction(async (client) => {
      const locked = await lockPresentation(client, own)
      await transition(client, locked)
      return readPresentation(client, own.id)
    })
  }

  /**
   * Wakes all who may care. A number is only a hint: readers look for themselves how far the log
   * has grown.
   */
  function publishChange(id: string, { revoked = false, queued = false } = {}) {
    if (revoked) channels.revoked(id)
    if (revoked || queued) channels.queue()
    channels.settled(id)
  }

  /**
   * The same for what is answered once per key: the queue is asked and quotas are reserved before
   * the transition.
   */
  async function startRun(
    own: OwnedPresentation,
    { idempotency, respond }: IdempotentCommand,
    transition: (client: Queryable, locked: LockedPresentation) => Promise<void>,
  ) {
    const given = await respondOnce(
      database,
      idempotency && { ...idempotency, userId: own.userId },
      async (client) => {
        await lockAdmission(client)
        const locked = await lockPresentation(client, own)
        await transition(client, locked)
        return respond(await readPresentation(client, own.id))
      },
    )
    publishChange(own.id, { queued: true })
    return given
  }

  return {
    /**
     * Ends the run in this transaction. Already cancelled: as it is. @throws Problem NOT_FOUND,
     * CONFLICT when it has ended otherwise
     */
    async cancel(own: OwnedPresentation): Promise<PresentationRow> {
      const row = await change(own, async (client, locked) => {
        if (locked.status === 'completed' || locked.status === 'failed')
          throw new Problem('CONFLICT')
        if (locked.status !== 'cancelled') await cancelRun(client, locked)
      })
      publishChange(own.id, { revoked: true })
      return row
    },

    /**
     * A failed or cancelled one goes on. @throws Problem NOT_FOUND, CONFLICT, QUEUE_FULL,
     * QUOTA_EXCEEDED, QUOTA_EXHAUSTED
     */
    retry: (own: OwnedPresentation, answering: IdempotentCommand) =>
      startRun(own, answering, async (client, locked) => {
        if (locked.status !== 'failed' && locked.status !== 'cancelled')
          throw new Problem('CONFLICT')
        const reservation = { userId: own.userId, presentationId: own.id, slides: locked.nSlides }
        if (await isReservationReleased(client, own.id)) await reserve(client, reservation, quotas)
        // Of a run that failed half-way only the slides it had made are still counted.
        else if (!locked.slidesFinished) await reserveSlides(client, reservation, quotas)
        checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
        await queueRetry(client, locked)
      }),

    /**
     * A further file of a finished deck. @throws Problem NOT_FOUND, CONFLICT, QUEUE_FULL,
     * RATE_LIMIT_EXCEEDED
     */
    furtherExport: (own: OwnedPresentation, format: 'pptx' | 'pdf', answering: IdempotentCommand) =>
      startRun(own, answering, async (client, locked) => {
        if (locked.status !== 'completed') throw new Problem('CONFLICT')
        await checkExportRate(client, locked)
        checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
        await queueExport(client, locked, format)
      }),

    /** What the model or the brief proposed. @throws Problem NOT_FOUND, NOT_READY */
    async outlines(own: OwnedPresentation): Promise<{ outlines: string[]; title: string | null }> {
      const found = await findOutlines(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      const { outlines, title } = found
      if (!outlines) throw new Problem('NOT_READY')
      return { outlines, title }
    },

    /**
     * Approves the outlines, other ones or those proposed; never refused for a full queue.
     * @throws Problem NOT_FOUND, CONFLICT when they don't wait for it, VALIDATION_FAILED,
     * QUOTA_EXHAUSTED
     */
    async approve(
      own: OwnedPresentation,
      given: { outlines?: string[] | undefined; title?: string | undefined },
    ): Promise<PresentationRow> {
      const row = await database.transaction(async (client) => {
        await lockAdmission(client)
        const locked = await lockPresentation(client, own)
        if (locked.status !== 'awaiting_outlines') throw new Problem('CONFLICT')
        const { outlines = locked.outlines ?? [], title = locked.title } = given
        // Other outlines say how many slides there will be; as they are, the generator may have
        // left some for a table of contents.
        const nSlides = given.outlines?.length ?? locked.nSlides
        if (locked.includeTableOfContents && nSlides < minSlidesWithContents) {
          const message = `must be at least ${minSlidesWithContents} with a table of contents`
          throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/outlines', message }] })
        }
        await reserveSlides(
          client,
          { userId: own.userId, presentationId: own.id, slides: nSlides },
          quotas,
        )
        await approveOutlines(client, locked, { outlines, title, nSlides })
        return readPresentation(client, own.id)
      })
      publishChange(own.id, { queued: true })
      return row
    },

    /** Also the name of the file from now on. @throws Problem NOT_FOUND */
    async rename(own: OwnedPresentation, title: string): Promise<PresentationRow> {
      return change(own, (client, locked) => renamePresentation(client, locked, title))
    },

    /** Gone at once; what lies outside is removed by and by. @throws Problem NOT_FOUND */
    async remove(own: OwnedPresentation): Promise<void> {
      await database.transaction(async (client) =>
        deletePresentation(client, await lockPresentation(client, own)),
      )
      publishChange(own.id, { revoked: true })
    },
  }
}

async function checkExportRate(
  client: Queryable,
  { id, exportTimes }: LockedPresentation,
): Promise<void> {
  if (exportTimes.length < exportsPerHour) return
  const rows = await client.query<{ n: number; seconds: number }>(
    `select count(*) as n, extract(epoch from min(t) + interval '1 hour' - now()) as seconds
     from (select unnest(export_times) as t from gateway.presentations where id = $1) times where t > now() - interval '1 hour'`,
    [id],
  )
  const { n = 0, seconds = 1 } = rows[0] ?? {}
  if (n < exportsPerHour) return
  throw new Problem('RATE_LIMIT_EXCEEDED', {
    cause: new Error(`A presentation is exported at most ${exportsPerHour} times an hour.`),
    retryAfterSeconds: Math.max(1, Math.ceil(seconds)),
  })
}
