// Reads the states of followed runs: one statement for all runs that have news at that moment.

import { createBatcher } from '../../async/batcher.ts'
import type { Database } from '../../database/connection.ts'
import { isDatabaseUnavailable } from '../../database/database-errors.ts'
import { Problem } from '../../domain/problem.ts'
import type { JobEntries, JobEntry } from './job-entries.ts'
import { createMissedEvents } from './missed-events.ts'
import { type JobRow, readJobRows } from './statements.ts'

export interface JobReadsOptions {
  database: Pick<Database, 'query'>
  entries: JobEntries
  onTrouble: (error: unknown) => void
}

export function createJobReads({ database, entries, onTrouble }: JobReadsOptions) {
  const reads = createBatcher<string, JobRow | null>({
    process: readAll,
    overloaded: () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 }),
    isSharedFailure: isDatabaseUnavailable,
  })
  const missed = createMissedEvents(database, (id) => entries.find(id)?.job)

  async function readAll(ids: string[]): Promise<(JobRow | null)[]> {
    for (const id of ids) {
      const entry = entries.find(id)
      if (entry) entry.queued = undefined
    }
    const rows = new Map((await readJobRows(database, ids)).map((row) => [row.id, row]))
    const found = ids.flatMap((id) => rows.get(id) ?? [])
    const [ends, changes] = await Promise.all([missed.readEnds(found), missed.readChanges(found)])
    for (const id of new Set(ids)) {
      const entry = entries.find(id)
      if (!entry) continue
      entry.isStale = false
      const row = rows.get(id)
      entry.job.take(row, ends.get(id) ?? [], changes.get(id) ?? [])
      if (!row) entries.forget(id)
    }
    return ids.map((id) => rows.get(id) ?? null)
  }

  function read(entry: JobEntry): Promise<JobRow | null> {
    clearTimeout(entry.timer)
    entry.timer = undefined
    entry.queued ??= reads.add(entry.job.id)
    return entry.queued
  }

  function refresh(entry: JobEntry) {
    read(entry).catch((error: unknown) => {
      entry.queued = undefined
      entry.isStale = true
      onTrouble(error)
    })
  }

  return {
    /** The state now, also of a run that is not followed; null if there is none. */
    find: (id: string): Promise<JobRow | null> => reads.add(id),

    refresh,

    /** Reads no earlier than a new state may be sent. */
    refreshWhenAllowed(entry: JobEntry) {
      if (entry.queued || entry.timer) return
      const waitMs = entry.job.waitMs()
      if (waitMs === 0) refresh(entry)
      else entry.timer = setTimeout(() => refresh(entry), waitMs)
    },

    /** Reads the run after this call. @throws Problem DATABASE_UNAVAILABLE */
    async isOwn(entry: JobEntry, userId: string): Promise<boolean> {
      try {
        return (await read(entry))?.userId === userId
      } catch (error) {
        entry.queued = undefined
        throw error
      }
    },
  }
}

export type JobReads = ReturnType<typeof createJobReads>
