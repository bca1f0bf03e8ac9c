// The runs that connections of this process follow or watch, each with the state of its reads.

import { createJob, type Job } from './job.ts'
import type { JobRow } from './statements.ts'

export interface JobEntry {
  job: Job
  /** A read that has not begun. */
  queued: Promise<JobRow | null> | undefined
  timer: NodeJS.Timeout | undefined
  /** The last read failed. */
  isStale: boolean
}

export type JobEntries = ReturnType<typeof createJobEntries>

/** `now` is a clock that is never set, in ms. */
export function createJobEntries(now: () => number) {
  const entries = new Map<string, JobEntry>()

  function forget(id: string) {
    clearTimeout(entries.get(id)?.timer)
    entries.delete(id)
  }

  return {
    all: () => [...entries.values()],
    find: (id: string) => entries.get(id),

    findOrCreate(id: string): JobEntry {
      let entry = entries.get(id)
      if (!entry) {
        entry = { job: createJob(id, now), queued: undefined, timer: undefined, isStale: false }
        entries.set(id, entry)
      }
      return entry
    },

    forget,

    forgetIfIdle(id: string) {
      if (entries.get(id)?.job.isIdle()) forget(id)
    },
  }
}
