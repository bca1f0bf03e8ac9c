// Writes what many runs of this process have to write at one moment in one statement and commit. An
// event costs a round trip and a disk flush, which a hundred runs would otherwise each pay. Raw
// SQL: it unnests a batch. A locked row is left out, and its run writes it alone.

import { createBatcher } from '../async/batcher.ts'
import { Problem } from '../domain/problem.ts'
import type { Database } from './connection.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import type { EncodedRunWrite, Fence } from './run-write.ts'

/** Events of one run, and how far its slides are. */
export interface SharedWrite {
  id: string
  token: string
  run: number
  /** The last number before these events. */
  seq: number
  /** None of them is terminal. */
  events: { kind: string; data: string }[]
  slidesDone?: number | undefined
  progress?: number | undefined
  /** The write renews the lease for this long. */
  leaseMs: number
}

// A connection that fell silent is noticed late. Other runs must not wait for it.
const slowBatchMs = 500

/** A larger write would delay the others in its batch. */
const maxSharedChars = 64 * 1024

export type SharedWrites = ReturnType<typeof createSharedWrites>

export function createSharedWrites({ database }: { database: Pick<Database, 'query'> }) {
  const batcher = createBatcher<SharedWrite, boolean>({
    process: writeAll,
    overloaded: () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 }),
    isSharedFailure: isDatabaseUnavailable,
    slowBatchMs,
  })

  async function writeAll(writes: SharedWrite[]): Promise<boolean[]> {
    const rows = await database.query<{ token: string }>(statement, columnsOf(writes))
    const written = new Set(rows.map(({ token }) => token))
    return writes.map(({ token }) => written.has(token))
  }

  return {
    /**
     * True when the write is committed. False when its row was locked or its fence did not hold;
     * the run then writes alone and learns which. Rejects with DATABASE_UNAVAILABLE, also after
     * too long a wait; the write may then have been applied.
     */
    write: batcher.add,
  }
}

/** The write in its shared form; undefined unless it only appends events and counts slides. */
export function toSharedWrite(
  { id, token, run, seq, leaseMs = 0 }: Fence & { token: string },
  { events, changes, extraStatements, release, stopClock }: EncodedRunWrite,
): SharedWrite | undefined {
  const { slidesDone, progress, ...others } = changes
  const isPlain = extraStatements.length === 0 && !release && !stopClock
  if (!isPlain || events.length === 0 || Object.keys(others).length > 0) return undefined
  if (events.some(({ isTerminal }) => isTerminal)) return undefined
  if (events.reduce((sum, { data }) => sum + data.length, 0) > maxSharedChars) return undefined
  return { id, token, run, seq, leaseMs, slidesDone, progress, events }
}

// By their tokens: a run may have two holders here for a moment, of whom one does not know yet that
// it has lost it.
const statement = `
  with given as (
    select * from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::int[], $5::int[], $6::float8[], $7::int[])
      as given(id, token, seq, added, slides_done, progress, lease_ms)
  ), free as materialized (
    select l.presentation_id as id from gateway.leases l
    join given g on l.presentation_id = g.id and l.token = g.token and l.last_seq = g.seq for update of l skip locked
  ), fence as (
    update gateway.leases l set last_seq = g.seq + g.added,
      expires_at = greatest(l.expires_at, clock_timestamp() + g.lease_ms * interval '1 ms')
    from free join given g using (id)
    where l.presentation_id = g.id and l.token = g.token and l.last_seq = g.seq
    returning g.id, g.token, g.slides_done, g.progress
  ), logged as (
    insert into gateway.events (presentation_id, seq, run, kind, data)
    select f.id, e.seq, e.run, e.kind, e.data
    from unnest($8::uuid[], $9::bigint[], $10::int[], $11::text[], $12::text[])
      as e(token, seq, run, kind, data)
    join fence f using (token)
  ), changed as (
    update gateway.presentations p set slides_done = coalesce(f.slides_done, p.slides_done),
      progress = coalesce(f.progress, p.progress), updated_at = now()
    from fence f where p.id = f.id and (f.slides_done is not null or f.progress is not null)
  )
  select token from fence`

function columnsOf(writes: SharedWrite[]): unknown[][] {
  const events = writes.flatMap(({ token, seq, run, events }) =>
    events.map(({ kind, data }, n) => ({ token, seq: seq + 1 + n, run, kind, data })),
  )
  return [
    writes.map(({ id }) => id),
    writes.map(({ token }) => token),
    writes.map(({ seq }) => seq),
    writes.map(({ events }) => events.length),
    writes.map(({ slidesDone }) => slidesDone ?? null),
    writes.map(({ progress }) => progress ?? null),
    writes.map(({ leaseMs }) => leaseMs),
    events.map(({ token }) => token),
    events.map(({ seq }) => seq),
    events.map(({ run }) => run),
    events.map(({ kind }) => kind),
    events.map(({ data }) => data),
  ]
}
