// What has to be done now and then, by any worker: end what is overdue, remove what nobody needs from the store, prune old logs.
// Every task finds its work in Postgres and is safe to do twice, so replicas need not agree on who does it.
import { setTimeout as delay } from 'node:timers/promises'
import type { Database } from '../database/connection.ts'
import { pruneLogs } from '../database/events.ts'
import { forgetKeys } from '../database/idempotency.ts'
import { endOverdueRuns } from '../database/overdue.ts'
import { findRemovableUploads, forgetUploads } from '../database/uploads.ts'
import type { Wakes } from '../database/wakes.ts'
import { jitterMs } from '../domain/backoff.ts'
import type { Logger } from '../logging.ts'
import type { ObjectStore } from '../objects/store.ts'

export interface HousekeepingOptions {
  database: Pick<Database, 'query'>
  wakes: Pick<Wakes, 'events' | 'settled'>
  objects: Pick<ObjectStore, 'remove'>
  eventsRetentionHours: number
  logger: Pick<Logger, 'warn'>
}

export type Housekeeping = ReturnType<typeof openHousekeeping>

/** Starts at once, then each task at its own pace until closed. */
export function openHousekeeping(options: HousekeepingOptions) {
  const { database, wakes, objects, logger } = options
  const closing = new AbortController()

  const tasks: { name: string; everyMs: number; work: () => Promise<void> }[] = [
    { name: 'end overdue runs', everyMs: 10_000, work: endOverdue },
    { name: 'remove objects', everyMs: 30_000, work: removeObjects },
    { name: 'prune logs', everyMs: 60_000, work: prune },
    { name: 'forget idempotency keys', everyMs: 600_000, work: () => forgetKeys(database) },
  ]

  async function endOverdue(): Promise<void> {
    for (const [id, lastSeq] of await endOverdueRuns(database)) {
      wakes.events(id, lastSeq)
      wakes.settled(id)
    }
  }

  async function removeObjects(): Promise<void> {
    for (;;) {
      const keys = await findRemovableUploads(database)
      for (const key of keys) {
        closing.signal.throwIfAborted()
        // One by one: a store that is away ends the round at its first key, and nothing is forgotten.
        await objects.remove(key)
        await forgetUploads(database, [key])
      }
      if (keys.length === 0) return
    }
  }

  async function prune(): Promise<void> {
    while ((await pruneLogs(database, options.eventsRetentionHours)) > 0) closing.signal.throwIfAborted()
  }

  async function repeat({ name, everyMs, work }: (typeof tasks)[number]): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        await work()
      } catch (error) {
        if (!closing.signal.aborted) logger.warn({ err: error, task: name }, 'housekeeping failed')
      }
      await delay(jitterMs(everyMs), undefined, { signal: closing.signal }).catch(() => undefined)
    }
  }

  const done = Promise.all(tasks.map(repeat))
  return {
    async close() {
      closing.abort()
      await done
    },
  }
}
