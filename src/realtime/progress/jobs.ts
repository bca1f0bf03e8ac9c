// All runs that connections of this process follow, and who may follow which.

import type { Channels } from '../../database/channels.ts'
import type { Database } from '../../database/connection.ts'
import { createJobEntries, type JobEntry } from './job-entries.ts'
import type { Follower } from './job-followers.ts'
import { followJobNews } from './job-news.ts'
import { createJobReads } from './job-reads.ts'
import type { JobRow } from './statements.ts'
import type { Watcher } from './watchers.ts'

export interface JobsOptions {
  database: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed'>
  onTrouble: (error: unknown) => void
  /** A clock that is never set, in ms. */
  now?: () => number
  /** How late a state may be when every hint is lost, in ms. */
  pollMs?: number
}

export interface OwnJob {
  userId: string
  id: string
}

export type Jobs = ReturnType<typeof createJobs>

export function createJobs(options: JobsOptions) {
  const { database, channels, onTrouble, now = () => performance.now(), pollMs = 1_000 } = options
  const entries = createJobEntries(now)
  const reads = createJobReads({ database, entries, onTrouble })
  const news = followJobNews({ database, channels, entries, reads, onTrouble, pollMs })

  return {
    ...createJobCommands(entries, reads),

    stats() {
      const counts = entries.all().map(({ job }) => job.subscriptions())
      const subscriptions = counts.reduce((sum, count) => sum + count, 0)
      return { jobs: counts.filter((count) => count > 0).length, subscriptions }
    },

    close() {
      news.close()
      for (const { job } of entries.all()) entries.forget(job.id)
    },
  }
}

function createJobCommands(
  entries: ReturnType<typeof createJobEntries>,
  reads: ReturnType<typeof createJobReads>,
) {
  function unfollow(id: string, follower: Follower) {
    entries.find(id)?.job.remove(follower)
    entries.forgetIfIdle(id)
  }

  function unwatch(id: string, watcher: Watcher) {
    entries.find(id)?.job.unwatch(watcher)
    entries.forgetIfIdle(id)
  }

  /** Calls `undo` unless the run is this user's. */
  async function isAccepted(entry: JobEntry, userId: string, undo: () => void): Promise<boolean> {
    let isOwn = false
    try {
      isOwn = await reads.isOwn(entry, userId)
    } finally {
      if (!isOwn) undo()
    }
    return isOwn
  }

  return {
    /** The state now; undefined when the presentation is not this user's. */
    async find({ userId, id }: OwnJob): Promise<JobRow | undefined> {
      const row = await reads.find(id)
      return row?.userId === userId ? row : undefined
    },

    /** Follows a run that is known to be this user's; its state is sent as soon as it is read. */
    followOwn(id: string, follower: Follower): void {
      const entry = entries.findOrCreate(id)
      entry.job.add(follower, true)
      reads.refresh(entry)
    },

    /**
     * Follows a run; `start` sends its state. False when it is not this user's.
     * @throws Problem DATABASE_UNAVAILABLE
     */
    follow({ userId, id }: OwnJob, follower: Follower): Promise<boolean> {
      const entry = entries.findOrCreate(id)
      entry.job.add(follower, false)
      return isAccepted(entry, userId, () => unfollow(id, follower))
    },
    unfollow,

    /**
     * Watches a run. False when it is not this user's.
     * @throws Problem DATABASE_UNAVAILABLE
     */
    async watch({ userId, id }: OwnJob, watcher: Watcher): Promise<boolean> {
      const entry = entries.findOrCreate(id)
      entry.job.watch(watcher)
      if (!(await isAccepted(entry, userId, () => unwatch(id, watcher)))) return false
      entry.job.startWatching(watcher)
      return true
    },
    unwatch,

    start: (id: string, follower: Follower) => entries.find(id)?.job.start(follower),
    catchUp: (id: string, follower: Follower) => entries.find(id)?.job.catchUp(follower),
    /** Sends the present state again; nothing before the first one is known, which follows. */
    repeat: (id: string, follower: Follower) => entries.find(id)?.job.repeat(follower),
  }
}
