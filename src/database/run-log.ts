// The one way in which a run writes: numbered events and the state that belongs to them, in one
// statement, fenced by the lease. Writes are gathered while the one before is under way (so a burst
// costs few commits), keep their order, and are repeated through a database outage without ever
// being applied twice.

import type { Channels } from './channels.ts'
import type { Database } from './connection.ts'
import { retryDuringOutage } from './outages.ts'
import type { SharedWrite, SharedWrites } from './shared-writes.ts'

/** The state a run may change, by column; values as the columns take them. */
export interface RunChanges {
  status?: 'running' | 'awaiting_outlines' | 'completed' | 'failed'
  stage?: string | null
  attempt?: number
  progress?: number
  title?: string
  n_slides?: number
  slides_done?: number
  outlines?: string[] | null
  outlines_approved?: boolean
  presenton_presentation_id?: string | null
  presenton_path?: string | null
  minio_object_key?: string
  deck_prepared?: boolean
  deck_streamed?: boolean
  slides_finished?: boolean
  starts?: object
  failures?: object
  slide_streams?: number
  uploads?: number
  error?: object | null
}

export interface RunEvent {
  /** Encoded JSON. */
  data: string
  terminal?: boolean
  /** Two neighbours for which this gives an event become that one. */
  join?: (next: RunEvent) => RunEvent | undefined
}

/**
 * A statement that belongs to a write: it runs in the same transaction, after the fence, with the
 * presentation's id as $1.
 */
export interface ExtraStatement {
  text: string
  values: unknown[]
}

export interface RunWrite {
  events?: RunEvent[]
  changes?: RunChanges
  extraStatements?: ExtraStatement[]
  /** The lease ends with this write. */
  release?: boolean
}

/**
 * Thrown when the lease is not ours any more: taken over, cancelled or deleted. The run must stop,
 * silently.
 */
export const leaseLost = Symbol('lease lost')

export interface RunLogOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'events' | 'settled' | 'queue'>
  run: { id: string; token: string; run: number; lastSeq: number }
  /**
   * For how long each write renews the lease: a row that is written all the time is never found
   * free by `renew`.
   */
  leaseMs?: number
  /**
   * Where what other runs write at the same moment goes as well; without, each write is a statement
   * of its own.
   */
  shared?: SharedWrites | undefined
  /**
   * Aborts when the lease is lost or the process gives up; ends the waiting for a database that is
   * away.
   */
  signal: AbortSignal
  onLost: () => void
}

// A run that is that far ahead of the database waits, and its upstream with it.
const maxPendingBytes = 1024 * 1024

const jsonColumns = new Set(['outlines', 'starts', 'failures', 'error'])

export type RunLog = ReturnType<typeof createRunLog>

export function createRunLog({
  database,
  channels,
  run,
  leaseMs,
  shared,
  signal,
  onLost,
}: RunLogOptions) {
  let seq = run.lastSeq
  let pending: RunWrite | undefined
  let pendingBytes = 0
  let flushing: Promise<void> | undefined
  let failure: unknown

  function add(write: RunWrite) {
    pending ??= {}
    for (const event of write.events ?? []) {
      pending.events ??= []
      const last = pending.events.at(-1)
      const joined = last?.join?.(event)
      if (joined) pending.events[pending.events.length - 1] = joined
      else pending.events.push(event)
      pendingBytes += event.data.length
    }
    if (write.changes)
      pending.changes = pending.changes ? { ...pending.changes, ...write.changes } : write.changes
    if (write.extraStatements)
      pending.extraStatements = [...(pending.extraStatements ?? []), ...write.extraStatements]
    if (write.release) pending.release = true
  }

  async function flush(): Promise<void> {
    try {
      await flushAll()
    } finally {
      // In the same turn in which the last look found nothing pending: whatever comes later starts
      // anew.
      flushing = undefined
    }
  }

  async function flushAll(): Promise<void> {
    while (pending && failure === undefined) {
      const write = pending
      pending = undefined
      pendingBytes = 0
      try {
        await applyThroughOutages(write)
      } catch (error) {
        failure = error
        if (error === leaseLost) onLost()
        throw error
      }
      const committed = (write.events ?? []).map(({ data, terminal = false }) => ({
        seq: ++seq,
        run: run.run,
        terminal,
        data,
      }))
      // The readers here need not ask the database for what it was just given.
      if (committed.length > 0) channels.events(run.id, seq, committed)
      if (write.changes?.status || write.release) channels.settled(run.id)
      if (write.release) channels.queue()
    }
  }

  function applyThroughOutages(write: RunWrite): Promise<void> {
    return retryDuringOutage(signal, async (attempt) => {
      if (await apply(write)) return
      if (attempt > 1 && (await wasApplied(write))) return
      throw leaseLost
    })
  }

  /** False when the fence did not let it through. */
  async function apply(write: RunWrite): Promise<boolean> {
    const fence = { id: run.id, token: run.token, run: run.run, seq, leaseMs }
    const toShare = shared && asShared(fence, write)
    if (toShare && (await shared.write(toShare))) return true
    return applyAlone(fence, write)
  }

  async function applyAlone(fence: Fence, write: RunWrite): Promise<boolean> {
    const statement = encode(fence, write)
    if (!write.extraStatements?.length)
      return (await database.query(statement.text, statement.values)).length > 0
    return database.transaction(async (client) => {
      const rows = await client.query(statement.text, statement.values)
      if (rows.length === 0) return false
      for (const { text, values } of write.extraStatements ?? [])
        await client.query(text, [run.id, ...values])
      return true
    })
  }

  /**
   * After a connection broke in the middle of a commit: did it go through? Our event at our number
   * tells, as long as the lease is ours: an heir goes on at the same number, often with the very
   * same words (the start of the same stage). A write that gave the lease back has nothing after
   * it, so that whose words end the run there makes no difference.
   */
  async function wasApplied({ events = [], release }: RunWrite): Promise<boolean> {
    const rows = await database.query<{
      token: string | null
      lastSeq: number
      data: string | null
    }>(
      `select l.token, l.last_seq as "lastSeq", e.data from gateway.leases l
       left join gateway.events e on e.presentation_id = l.presentation_id and e.seq = $2 where l.presentation_id = $1`,
      [run.id, seq + events.length],
    )
    const row = rows[0]
    if (!row) return false
    // Without events a repeat simply goes through again; only a release can have happened unseen.
    if (events.length === 0) return release === true && row.token === null && row.lastSeq === seq
    return (release === true || row.token === run.token) && row.data === events.at(-1)?.data
  }

  /**
   * Queues a write; resolves when there is room for more. Throws what an earlier write failed with.
   */
  async function append(write: RunWrite): Promise<void> {
    if (failure !== undefined) throw failure
    signal.throwIfAborted()
    add(write)
    // In the next turn, so that what is appended in one go becomes one write.
    flushing ??= Promise.resolve().then(flush)
    flushing.catch(() => undefined)
    if (pendingBytes > maxPendingBytes) await flushing
  }

  /** Queues a write and resolves when it, and all before it, are committed. */
  async function commit(write: RunWrite): Promise<void> {
    await append(write)
    while (flushing) await flushing
    if (failure !== undefined) throw failure
  }

  return { append, commit, seq: () => seq }
}

/** What must hold for a write to go through: the run is ours, and its log stands at `seq`. */
interface Fence {
  id: string
  token: string
  run: number
  seq: number
  leaseMs: number | undefined
}

// A larger one would hold up those it goes with.
const maxSharedChars = 64 * 1024

/**
 * The write as it goes with others: what streams bring, and nothing that ends, begins or belongs to
 * more than events and slides.
 */
function asShared(
  fence: Fence,
  { events = [], changes = {}, extraStatements = [], release = false }: RunWrite,
): SharedWrite | undefined {
  const { slides_done: slidesDone, progress } = changes
  const isStreamed = events.length > 0 && extraStatements.length === 0 && !release
  if (
    !isStreamed ||
    Object.keys(changes).some((name) => name !== 'slides_done' && name !== 'progress')
  )
    return undefined
  if (events.some(({ terminal }) => terminal)) return undefined
  if (events.reduce((sum, { data }) => sum + data.length, 0) > maxSharedChars) return undefined
  return {
    ...fence,
    leaseMs: fence.leaseMs ?? 0,
    slidesDone,
    progress,
    events: events.map(({ data }) => data),
  }
}

function encode(fence: Fence, { events = [], changes = {}, release }: RunWrite) {
  const values: unknown[] = [fence.id, fence.token, fence.seq, events.length]
  const use = (value: unknown) => `$${values.push(value)}`
  let lease = ''
  if (release) lease = ', token = null, expires_at = null'
  else if (fence.leaseMs)
    lease = `, expires_at = greatest(expires_at, clock_timestamp() + ${use(fence.leaseMs)} * interval '1 ms')`
  const parts = [
    `fence as (update gateway.leases set last_seq = last_seq + $4${lease}
     where presentation_id = $1 and token = $2 and last_seq = $3 returning 1)`,
  ]
  if (events.length > 0) {
    const data = use(events.map((event) => event.data))
    const terminal = use(events.map((event) => event.terminal ?? false))
    parts.push(`logged as (insert into gateway.events (presentation_id, seq, run, terminal, data)
      select $1, $3 + n, ${use(fence.run)}::int, terminal, data
      from fence, unnest(${data}::text[], ${terminal}::bool[]) with ordinality as new(data, terminal, n))`)
  }
  const sets = Object.entries(changes).map(([column, value]) =>
    // The title that a user gave meanwhile stays.
    column === 'title'
      ? `title = coalesce(title, ${use(value)})`
      : jsonColumns.has(column)
        ? `${column} = ${use(value === null ? null : JSON.stringify(value))}`
        : `${column} = ${use(value)}`,
  )
  if (changes.status === 'awaiting_outlines') {
    sets.push(
      'run_used_ms = run_used_ms + (extract(epoch from clock_timestamp() - run_started_at) * 1000)::bigint, run_started_at = null',
    )
  }
  // A further export that failed leaves the deck as it was.
  if (changes.status === 'completed' && !changes.error) sets.push('completed_at = now()')
  if (changes.status === 'completed' || changes.status === 'failed') sets.push('ended_at = now()')
  if (sets.length > 0) {
    parts.push(
      `changed as (update gateway.presentations set ${sets.join(', ')}, updated_at = now() from fence where id = $1)`,
    )
  }
  return { text: `with ${parts.join(',\n')} select 1 from fence`, values }
}
