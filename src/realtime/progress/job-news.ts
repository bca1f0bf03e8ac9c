// Learns when followed runs have news: from hints, and from a poll that finds what a lost hint
// would have told.

import type { Channels } from '../../database/channels.ts'
import type { Database } from '../../database/connection.ts'
import { readLogChanges } from '../../database/event-log.ts'
import type { JobEntries, JobEntry } from './job-entries.ts'
import type { JobReads } from './job-reads.ts'

export interface JobNewsOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
  entries: JobEntries
  reads: JobReads
  onTrouble: (error: unknown) => void
  pollMs: number
}

export function followJobNews(options: JobNewsOptions) {
  const { database, channels, entries, reads, onTrouble, pollMs } = options
  let isPolling = false

  async function poll(): Promise<void> {
    const polled = entries.all()
    if (isPolling || polled.length === 0) return
    isPolling = true
    try {
      const ids = polled.map(({ job }) => job.id)
      const seqs = polled.map(({ job }) => job.row()?.lastSeq ?? 0)
      const changes = await readLogChanges(database, { ids, seqs })
      for (const entry of entries.all()) refreshIfChanged(entry, changes.has(entry.job.id))
    } catch (error) {
      onTrouble(error)
    } finally {
      isPolling = false
    }
  }

  function refreshIfChanged(entry: JobEntry, hasNews: boolean) {
    // A place in the queue changes without an event.
    const isQueued = entry.job.row()?.status === 'queued'
    if (entry.isStale || hasNews) reads.refresh(entry)
    else if (isQueued) reads.refreshWhenAllowed(entry)
  }

  const unsubscribe = [
    channels.subscribe('log', ({ id }) => {
      const entry = entries.find(id)
      if (entry) reads.refreshWhenAllowed(entry)
    }),
    channels.subscribe('status', ({ id }) => {
      const entry = entries.find(id)
      if (entry) reads.refresh(entry)
    }),
    channels.subscribeMissed(() => void poll()),
  ]
  const timer = setInterval(() => void poll(), pollMs)
  timer.unref()

  return {
    close() {
      clearInterval(timer)
      for (const stop of unsubscribe) stop()
    },
  }
}
