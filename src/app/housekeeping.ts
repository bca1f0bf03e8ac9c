// Periodic tasks of every worker: end overdue runs, remove what is no longer needed, forget what
// has expired. Each finds its work in Postgres and is safe to repeat, so replicas need not
// coordinate.

import { jitterMs } from '../async/backoff.ts'
import { anySignal, sleep } from '../async/signals.ts'
import type { NotificationType } from '../contract/notification.ts'
import type { Channels } from '../database/channels.ts'
import { endAbandonedTurns } from '../database/chat-turns.ts'
import type { Database } from '../database/connection.ts'
import { endAbandonedChanges } from '../database/deck-changes.ts'
import { pruneDocumentTexts } from '../database/document-texts.ts'
import { pruneDurations } from '../database/durations.ts'
import { pruneEdits } from '../database/edit-quota.ts'
import type { EndRun } from '../database/end-run.ts'
import { pruneLogs } from '../database/event-log.ts'
import { pruneKeys } from '../database/idempotency-keys.ts'
import { pruneLedger } from '../database/ledger.ts'
import { pruneUses } from '../database/maker-uses.ts'
import { expireSources, releaseDeletedSources } from '../database/sources.ts'
import { createRemovals } from '../generation/removals.ts'
import { endOverdueRuns } from '../generation/statements/overdue.ts'
import { pruneSessions } from '../maker/statements/sessions.ts'
import { pruneNotifications } from '../notifications/statements/change.ts'
import { warnOfExpiringReviews } from '../notifications/statements/write.ts'
import type { ObjectStore } from '../objects/store.ts'
import type { Presenton } from '../presenton/client.ts'
import type { Logger } from '../telemetry/logging.ts'
import { pruneTickets } from '../tickets/statements.ts'
import { pruneDeliveries } from '../webhooks/statements/deliveries.ts'
import { type DisableRules, disableFailing } from '../webhooks/statements/finish.ts'

export interface HousekeepingOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'publish' | 'subscribe'>
  objects: Pick<ObjectStore, 'remove'>
  presenton: Pick<Presenton, 'deleteDeck'>
  endRun: EndRun
  eventsRetentionHours: number
  runTimeoutMs: number
  notificationRetentionHours: number
  /** 0 keeps sources until they are deleted. */
  sourcesRetentionHours: number
  disableRules: DisableRules
  onNotification: (type: NotificationType) => void
  logger: Pick<Logger, 'warn'>
}

interface Task {
  name: string
  everyMs: number
  work: () => Promise<void>
  /** Also runs when a lease is revoked, which may have been a deletion. */
  runsOnRevoke?: boolean
}

// A failed task is retried sooner than its usual interval, and then ever later.
const firstRetryMs = 1_000

/** Starts all tasks at once; each repeats at its own interval until closed. */
export function openHousekeeping(options: HousekeepingOptions) {
  const { database, channels, objects, presenton, endRun, logger } = options
  const { eventsRetentionHours, runTimeoutMs } = options
  const closing = new AbortController()
  const removals = createRemovals({ database, objects, presenton, logger, signal: closing.signal })

  const tasks: Task[] = [
    { name: 'end overdue runs', everyMs: 10_000, work: endOverdue },
    { name: 'end abandoned turns', everyMs: 10_000, work: () => endAbandonedTurns(database) },
    { name: 'end abandoned changes', everyMs: 10_000, work: () => endAbandonedChanges(database) },
    { name: 'release sources', everyMs: 30_000, work: releaseSources, runsOnRevoke: true },
    { name: 'remove objects', everyMs: 30_000, work: removals.objects, runsOnRevoke: true },
    { name: 'remove decks', everyMs: 30_000, work: removals.decks, runsOnRevoke: true },
    { name: 'prune logs', everyMs: 60_000, work: prune },
    { name: 'prune tickets', everyMs: 60_000, work: () => pruneTickets(database) },
    { name: 'prune maker sessions', everyMs: 60_000, work: () => pruneSessions(database) },
    { name: 'prune idempotency keys', everyMs: 600_000, work: () => pruneKeys(database) },
    { name: 'prune the ledger', everyMs: 600_000, work: () => pruneLedger(database) },
    { name: 'prune edits', everyMs: 600_000, work: () => pruneEdits(database) },
    { name: 'prune uses of the maker', everyMs: 600_000, work: () => pruneUses(database) },
    { name: 'prune texts', everyMs: 600_000, work: () => pruneDocumentTexts(database) },
    { name: 'warn of expiring reviews', everyMs: 10_000, work: warnOfReviews },
    { name: 'prune notifications', everyMs: 600_000, work: pruneOldNotifications },
    { name: 'prune deliveries', everyMs: 600_000, work: pruneOldDeliveries },
    { name: 'disable failing webhooks', everyMs: 10_000, work: disableWebhooks },
    { name: 'prune durations', everyMs: 600_000, work: () => pruneDurations(database) },
  ]

  async function endOverdue(): Promise<void> {
    for (const [id, seq] of await endOverdueRuns(database, { endRun, runTimeoutMs })) {
      channels.publish('log', { id, seq })
      channels.publish('status', { id })
    }
  }

  async function warnOfReviews(): Promise<void> {
    for (const id of await warnOfExpiringReviews(database)) {
      channels.publish('notification', { id })
      options.onNotification('warning')
    }
  }

  /** Runs that end, and presentations that are deleted, no longer need their sources. */
  async function releaseSources(): Promise<void> {
    const { sourcesRetentionHours: retentionHours } = options
    while (retentionHours > 0 && (await expireSources(database, { retentionHours })) > 0)
      closing.signal.throwIfAborted()
    while ((await releaseDeletedSources(database)) > 0) closing.signal.throwIfAborted()
  }

  async function pruneOldNotifications(): Promise<void> {
    const { notificationRetentionHours: hours } = options
    while ((await pruneNotifications(database, hours)) > 0) closing.signal.throwIfAborted()
  }

  async function pruneOldDeliveries(): Promise<void> {
    while ((await pruneDeliveries(database)) > 0) closing.signal.throwIfAborted()
  }

  async function disableWebhooks(): Promise<void> {
    await disableFailing(database, options.disableRules)
  }

  async function prune(): Promise<void> {
    while ((await pruneLogs(database, eventsRetentionHours)) > 0) closing.signal.throwIfAborted()
  }

  async function repeat({ name, everyMs, work, runsOnRevoke = false }: Task): Promise<void> {
    let pause = new AbortController()
    const unsubscribe = runsOnRevoke && channels.subscribe('revoked', () => pause.abort())
    for (let failures = 0; !closing.signal.aborted; ) {
      // Created before the work: a revocation during the work leads to another round.
      pause = new AbortController()
      try {
        await work()
        failures = 0
      } catch (error) {
        if (closing.signal.aborted) break
        failures += 1
        logger.warn({ err: error, task: name }, 'housekeeping failed')
      }
      const waitMs = failures === 0 ? everyMs : Math.min(everyMs, firstRetryMs * 2 ** failures)
      await sleep(jitterMs(waitMs), anySignal(closing.signal, pause.signal)).catch(() => undefined)
    }
    if (unsubscribe) unsubscribe()
  }

  const done = Promise.all(tasks.map(repeat))
  return {
    async close() {
      closing.abort()
      await done
    },
  }
}
