// The log of one claimed run. Writes gather while the one before is under way, so a burst costs few
// commits; they keep their order, and an outage of the database never applies one twice.

import { takeLoopTurn } from '../async/loop-turns.ts'
import type { Channels } from './channels.ts'
import type { Database } from './connection.ts'
import { retryDuringOutage } from './outages.ts'
import { createPendingEvents, type RunEvent } from './pending-events.ts'
import {
  applyRunWrite,
  type EncodedRunWrite,
  encodeRunWrite,
  type Fence,
  type RunChanges,
  reportCommitted,
} from './run-write.ts'
import { type SharedWrites, toSharedWrite } from './shared-writes.ts'

export interface RunWrite {
  events?: RunEvent[]
  changes?: RunChanges
  extraStatements?: EncodedRunWrite['extraStatements']
  /** The lease ends with this write. */
  release?: boolean
  /** The run's clock stops, until its next claim. */
  stopClock?: boolean
  /** The run is queued again for this time at least; its clock continues. */
  requeueMs?: number | undefined
}

/** Thrown when the lease was taken over or revoked. The run must stop and write nothing. */
export const leaseLost = Symbol('lease lost')

export interface RunLogOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'publish'>
  run: { id: string; token: string; run: number; lastSeq: number }
  /** Each write renews the lease for this long: `renew` skips rows that are being written. */
  leaseMs?: number
  /** Shares statements with other runs. Without it each write is a statement of its own. */
  shared?: SharedWrites | undefined
  /** Ends the wait for a database that is away. */
  signal: AbortSignal
  onLost: () => void
}

// A run that is this far ahead of the database waits, and so does the reading of its upstream.
const maxPendingChars = 256 * 1024

export type RunLog = ReturnType<typeof createRunLog>

interface Pending extends Omit<EncodedRunWrite, 'events'> {
  events: ReturnType<typeof createPendingEvents>
}

export function createRunLog(options: RunLogOptions) {
  const { database, channels, run, leaseMs, shared, signal, onLost } = options
  let seq = run.lastSeq
  let pending: Pending | undefined
  let flushing: Promise<void> | undefined
  let failure: unknown

  function add({ events = [], changes, extraStatements = [], ...write }: RunWrite) {
    pending ??= {
      events: createPendingEvents(),
      changes: {},
      extraStatements: [],
      release: false,
      stopClock: false,
    }
    for (const event of events) pending.events.add(event)
    if (changes) pending.changes = { ...pending.changes, ...changes }
    pending.extraStatements.push(...extraStatements)
    pending.release ||= write.release ?? false
    pending.stopClock ||= write.stopClock ?? false
    pending.requeueMs ??= write.requeueMs
  }

  async function flush(): Promise<void> {
    try {
      await flushAll()
    } finally {
      // In the turn that found nothing pending, so that the next write starts a new flush.
      flushing = undefined
    }
  }

  async function flushAll(): Promise<void> {
    while (pending && failure === undefined) {
      await takeLoopTurn()
      const write: EncodedRunWrite = { ...pending, events: pending.events.encode() }
      pending = undefined
      try {
        await applyDuringOutages(write)
      } catch (error) {
        failure = error
        if (error === leaseLost) onLost()
        throw error
      }
      publish(write)
      reportCommitted(write)
    }
  }

  /** Subscribers in this process get the committed events without reading them back. */
  function publish({ events, changes, release }: EncodedRunWrite) {
    const committed = events.map(({ kind, data, isTerminal }) => {
      seq += 1
      return { seq, run: run.run, kind, terminal: isTerminal, data }
    })
    if (committed.length > 0) channels.publish('log', { id: run.id, seq, committed })
    if (changes.status || release) channels.publish('status', { id: run.id })
    if (release) channels.publish('queue', {})
  }

  function applyDuringOutages(write: EncodedRunWrite): Promise<void> {
    return retryDuringOutage(signal, async (attempt) => {
      if (await apply(write)) return
      if (attempt > 1 && (await wasApplied(write))) return
      throw leaseLost
    })
  }

  /** False when the fence does not hold. */
  async function apply(write: EncodedRunWrite): Promise<boolean> {
    const fence: Fence = { id: run.id, token: run.token, run: run.run, seq, leaseMs }
    const toShare = shared && toSharedWrite({ ...fence, token: run.token }, write)
    if (toShare && (await shared.write(toShare))) return true
    if (write.extraStatements.length > 0) {
      return database.transaction((client) => applyRunWrite(client, fence, write))
    }
    const { text, values } = encodeRunWrite(fence, write)
    return (await database.query(text, values)).length > 0
  }

  /**
   * Whether a commit went through whose connection broke. Our last event at our number proves it
   * only while we hold the lease: the next holder may log the very same event at that number. A
   * write that released the lease has none after it.
   */
  async function wasApplied({ events, release }: EncodedRunWrite): Promise<boolean> {
    const rows = await database.query<{
      token: string | null
      lastSeq: number
      data: string | null
    }>(
      `select l.token, l.last_seq as "lastSeq", e.data from gateway.leases l
       left join gateway.events e on e.presentation_id = l.presentation_id and e.seq = $2
       where l.presentation_id = $1`,
      [run.id, seq + events.length],
    )
    const [row] = rows
    if (!row) return false
    // Repeating a write without events is harmless, unless it released the lease.
    if (events.length === 0) return release && row.token === null && row.lastSeq === seq
    return (release || row.token === run.token) && row.data === events.at(-1)?.data
  }

  /** Queues a write. Resolves when there is room for more; rejects if an earlier write failed. */
  async function append(write: RunWrite): Promise<void> {
    if (failure !== undefined) throw failure
    signal.throwIfAborted()
    add(write)
    // In a microtask, so that everything that is appended in one turn becomes one write.
    flushing ??= Promise.resolve().then(flush)
    flushing.catch(() => undefined)
    if ((pending?.events.chars() ?? 0) > maxPendingChars) await flushing
  }

  /** Queues a write. Resolves when it, and all before it, are committed. */
  async function commit(write: RunWrite): Promise<void> {
    await append(write)
    while (flushing) await flushing
    if (failure !== undefined) throw failure
  }

  return { append, commit, seq: () => seq }
}
