// All runs that connections of this process follow. A hint leads to a read, one for all runs that
// have news at that moment; a poll finds what a lost hint would have told.

import { createBatcher } from '../../async/batcher.ts'
import type { Channels } from '../../database/channels.ts'
import type { Database } from '../../database/connection.ts'
import { isDatabaseUnavailable } from '../../database/database-errors.ts'
import { readLogChanges } from '../../database/event-log.ts'
import { Problem } from '../../domain/problem.ts'
import { createJob, type Follower, type Job, type Watcher } from './job.ts'
import { createMissedEvents } from './missed-events.ts'
import { type JobRow, readJobRows } from './statements.ts'

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

interface Entry {
  job: Job
  /** A read that has not begun. */
  queued: Promise<unknown> | undefined
  timer: NodeJS.Timeout | undefined
  /** The last read failed. */
  isStale: boolean
}

export type Jobs = ReturnType<typeof createJobs>

export function createJobs(options: JobsOptions) {
  const { database, channels, onTrouble, now = () => performance.now(), pollMs = 1_000 } = options
  const entries = new Map<string, Entry>()
  let isPolling = false

  const reads = createBatcher<string, JobRow | null>({
    process: readAll,
    overloaded: () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 }),
    isSharedFailure: isDatabaseUnavailable,
  })

  const missed = createMissedEvents(database, (id) => entries.get(id)?.job)

  async function readAll(ids: string[]): Promise<(JobRow | null)[]> {
    for (const id of ids) {
      const entry = entries.get(id)
      if (entry) entry.queued = undefined
    }
    const rows = new Map((await readJobRows(database, ids)).map((row) => [row.id, row]))
    const found = ids.flatMap((id) => rows.get(id) ?? [])
    const [ends, changes] = await Promise.all([missed.readEnds(found), missed.readChanges(found)])
    for (const id of new Set(ids)) {
      const entry = entries.get(id)
      if (!entry) continue
      entry.isStale = false
      const row = rows.get(id)
      entry.job.take(row, ends.get(id) ?? [], changes.get(id) ?? [])
      if (!row) forget(id)
    }
    return ids.map((id) => rows.get(id) ?? null)
  }

  /** Resolves with a state that is read after this call. */
  function read(entry: Entry): Promise<JobRow | null> {
    clearTimeout(entry.timer)
    entry.timer = undefined
    entry.queued ??= reads.add(entry.job.id)
    return entry.queued as Promise<JobRow | null>
  }

  function refresh(entry: Entry) {
    read(entry).catch((error: unknown) => {
      entry.queued = undefined
      entry.isStale = true
      onTrouble(error)
    })
  }

  /** Reads no earlier than a new state may be sent. */
  function refreshWhenAllowed(entry: Entry) {
    if (entry.queued || entry.timer) return
    const waitMs = entry.job.waitMs()
    if (waitMs === 0) refresh(entry)
    else entry.timer = setTimeout(() => refresh(entry), waitMs)
  }

  async function poll(): Promise<void> {
    if (isPolling || entries.size === 0) return
    isPolling = true
    try {
      const seqs = [...entries.values()].map(({ job }) => job.row()?.lastSeq ?? 0)
      const changes = await readLogChanges(database, { ids: [...entries.keys()], seqs })
      for (const [id, entry] of entries) {
        // A place in the queue changes without an event.
        const isQueued = entry.job.row()?.status === 'queued'
        if (entry.isStale || changes.has(id)) refresh(entry)
        else if (isQueued) refreshWhenAllowed(entry)
      }
    } catch (error) {
      onTrouble(error)
    } finally {
      isPolling = false
    }
  }

  const unsubscribe = [
    channels.subscribe('log', ({ id }) => {
      const entry = entries.get(id)
      if (entry) refreshWhenAllowed(entry)
    }),
    channels.subscribe('status', ({ id }) => {
      const entry = entries.get(id)
      if (entry) refresh(entry)
    }),
    channels.subscribeMissed(() => void poll()),
  ]
  const timer = setInterval(() => void poll(), pollMs)
  timer.unref()

  function entryOf(id: string): Entry {
    let entry = entries.get(id)
    if (!entry) {
      entry = { job: createJob(id, now), queued: undefined, timer: undefined, isStale: false }
      entries.set(id, entry)
    }
    return entry
  }

  function forget(id: string) {
    clearTimeout(entries.get(id)?.timer)
    entries.delete(id)
  }

  function unfollow(id: string, follower: Follower) {
    const entry = entries.get(id)
    if (!entry) return
    entry.job.remove(follower)
    if (entry.job.isIdle()) forget(id)
  }

  function unwatch(id: string, watcher: Watcher) {
    const entry = entries.get(id)
    if (!entry) return
    entry.job.unwatch(watcher)
    if (entry.job.isIdle()) forget(id)
  }

  /** @throws Problem DATABASE_UNAVAILABLE */
  async function isOwn(entry: Entry, userId: string): Promise<boolean> {
    try {
      return (await read(entry))?.userId === userId
    } catch (error) {
      entry.queued = undefined
      throw error
    }
  }

  return {
    /** The state now; undefined when the presentation is not this user's. */
    async find({ userId, id }: OwnJob): Promise<JobRow | undefined> {
      const row = await reads.add(id)
      return row?.userId === userId ? row : undefined
    },

    /** Follows a run that is known to be this user's; its state is sent as soon as it is read. */
    followOwn(id: string, follower: Follower): void {
      const entry = entryOf(id)
      entry.job.add(follower, true)
      refresh(entry)
    },

    /**
     * Follows a run; `start` sends its state. False when it is not this user's.
     * @throws Problem DATABASE_UNAVAILABLE
     */
    async follow({ userId, id }: OwnJob, follower: Follower): Promise<boolean> {
      const entry = entryOf(id)
      entry.job.add(follower, false)
      let isAccepted = false
      try {
        isAccepted = await isOwn(entry, userId)
      } finally {
        if (!isAccepted) unfollow(id, follower)
      }
      return isAccepted
    },

    /**
     * Watches a run. False when it is not this user's.
     * @throws Problem DATABASE_UNAVAILABLE
     */
    async watch({ userId, id }: OwnJob, watcher: Watcher): Promise<boolean> {
      const entry = entryOf(id)
      entry.job.watch(watcher)
      let isAccepted = false
      try {
        isAccepted = await isOwn(entry, userId)
        if (isAccepted) entry.job.startWatching(watcher)
      } finally {
        if (!isAccepted) unwatch(id, watcher)
      }
      return isAccepted
    },
    unwatch,

    start: (id: string, follower: Follower) => entries.get(id)?.job.start(follower),
    catchUp: (id: string, follower: Follower) => entries.get(id)?.job.catchUp(follower),
    /** Sends the present state again; nothing before the first one is known, which follows. */
    repeat: (id: string, follower: Follower) => entries.get(id)?.job.repeat(follower),
    unfollow,

    stats() {
      const counts = [...entries.values()].map(({ job }) => job.subscriptions())
      const subscriptions = counts.reduce((sum, count) => sum + count, 0)
      return { jobs: counts.filter((count) => count > 0).length, subscriptions }
    },

    close() {
      clearInterval(timer)
      for (const stop of unsubscribe) stop()
      for (const id of [...entries.keys()]) forget(id)
    },
  }
}
