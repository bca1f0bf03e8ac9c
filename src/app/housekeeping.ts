// What has to be done now and then, by any worker: end what is overdue, remove what nobody needs
// outside, forget what is over. Every task finds its work in Postgres and is safe to do twice, so
// replicas need not agree on who does it.

import { jitterMs } from '../async/backoff.ts'
import { anySignal, sleep } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { pruneLogs } from '../database/event-log.ts'
import { pruneKeys } from '../database/idempotency-keys.ts'
import { pruneLedger } from '../database/ledger.ts'
import { createRemovals } from '../generation/removals.ts'
import { endOverdueRuns } from '../generation/statements/overdue.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'
import { pruneTickets } from '../tickets/statements.ts'

export interface HousekeepingOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'on' | 'off' | 'events' | 'settled'>
  objects: Pick<ObjectStore, 'remove'>
  presenton: Pick<Presenton, 'deleteDeck'>
  eventsRetentionHours: number
  logger: Pick<Logger, 'warn'>
}

interface Task {
  name: string
  everyMs: number
  work: () => Promise<void>
  /** Done at once, too, when a run was revoked: that may have been a deletion. */
  isWoken?: boolean
}

export type Housekeeping = ReturnType<typeof openHousekeeping>

// After trouble a task is tried again sooner than its usual pace, and ever later.
const firstRetryMs = 1_000

/** Starts at once, then each task at its own pace until closed. */
export function openHousekeeping({
  database,
  channels,
  objects,
  presenton,
  eventsRetentionHours,
  logger,
}: HousekeepingOptions) {
  const closing = new AbortController()
  const removals = createRemovals({ database, objects, presenton, logger, signal: closing.signal })

  const tasks: Task[] = [
    { name: 'end overdue runs', everyMs: 10_000, work: endOverdue },
    { name: 'remove objects', everyMs: 30_000, work: removals.objects, isWoken: true },
    { name: 'remove decks', everyMs: 30_000, work: removals.decks, isWoken: true },
    { name: 'prune logs', everyMs: 60_000, work: prune },
    { name: 'prune tickets', everyMs: 60_000, work: () => pruneTickets(database) },
    { name: 'prune idempotency keys', everyMs: 600_000, work: () => pruneKeys(database) },
    { name: 'prune the ledger', everyMs: 600_000, work: () => pruneLedger(database) },
  ]

  async function endOverdue(): Promise<void> {
    for (const [id, lastSeq] of await endOverdueRuns(database)) {
      channels.events(id, lastSeq)
      channels.settled(id)
    }
  }

  async function prune(): Promise<void> {
    while ((await pruneLogs(database, eventsRetentionHours)) > 0) closing.signal.throwIfAborted()
  }

  async function repeat({ name, everyMs, work, isWoken = false }: Task): Promise<void> {
    let nap = new AbortController()
    const onRevoked = () => nap.abort()
    if (isWoken) channels.on('revoked', onRevoked)
    for (let failures = 0; !closing.signal.aborted; ) {
      // Made before the work: what is to be done from now on may come too late for it.
      nap = new AbortController()
      try {
        await work()
        failures = 0
      } catch (error) {
        if (closing.signal.aborted) break
        failures += 1
        logger.warn({ err: error, task: name }, 'housekeeping failed')
      }
      const waitMs = failures === 0 ? everyMs : Math.min(everyMs, firstRetryMs * 2 ** failures)
      await sleep(jitterMs(waitMs), anySignal(closing.signal, nap.signal)).catch(() => undefined)
    }
    channels.off('revoked', onRevoked)
  }

  const done = Promise.all(tasks.map(repeat))
  return {
    async close() {
      closing.abort()
      await done
    },
  }
}
