// Starts another run of a presentation, once for each idempotency key. What it may cost is checked
// in the transaction that queues it.

import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { type IdempotentResponse, respondOnce } from '../database/idempotency.ts'
import type { IdempotentRequest } from '../database/idempotency-keys.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { activeTraceparent } from '../telemetry/traces/span.ts'
import { lockAdmission } from './statements/insert.ts'
import { type PresentationRow, readPresentation } from './statements/queries.ts'
import { type LockedPresentation, lockPresentation, noteRequest } from './statements/transitions.ts'

/** A presentation and the user it must belong to. To others it does not exist (NOT_FOUND). */
export interface OwnedPresentation {
  userId: string
  id: string
}

/** A command whose response is stored under the caller's idempotency key. */
export interface IdempotentCommand {
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  respond: (row: PresentationRow) => StoredResponse
}

export type Transition = (client: Queryable, locked: LockedPresentation) => Promise<void>

export interface StartRunOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'publish'>
}

export function createStartRun({ database, channels }: StartRunOptions) {
  /** Limits and quotas that `transition` checks hold until its transaction ends. */
  return async function startRun(
    own: OwnedPresentation,
    { idempotency, respond }: IdempotentCommand,
    transition: Transition,
  ): Promise<IdempotentResponse> {
    const requestTrace = activeTraceparent()
    const keyed = idempotency && { ...idempotency, userId: own.userId }
    const response = await respondOnce(database, keyed, async (client) => {
      await client.query(lockAdmission)
      await transition(client, await lockPresentation(client, own))
      if (requestTrace !== undefined) await noteRequest(client, { id: own.id, requestTrace })
      return respond(await readPresentation(client, own.id))
    })
    publishQueued(channels, own.id)
    return response
  }
}

/** Runs a transition under the lock of the presentation, and returns the new row. */
export function changeLocked(
  database: Pick<Database, 'transaction'>,
  own: OwnedPresentation,
  transition: Transition,
): Promise<PresentationRow> {
  return database.transaction(async (client) => {
    await transition(client, await lockPresentation(client, own))
    return readPresentation(client, own.id)
  })
}

/** A run was ended from outside: its worker learns at once, and a slot may be free. */
export function publishRevoked(channels: Pick<Channels, 'publish'>, id: string): void {
  channels.publish('revoked', { id })
  publishQueued(channels, id)
}

/** A run has joined or left the queue. */
export function publishQueued(channels: Pick<Channels, 'publish'>, id: string): void {
  channels.publish('queue', {})
  channels.publish('status', { id })
}
