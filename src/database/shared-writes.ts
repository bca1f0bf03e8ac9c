// What many runs of this process have to write at the same moment goes into one statement and one
// commit: an event costs a round trip and a wait for the disk, which a hundred runs would each pay
// for themselves. Nobody waits for another's row: one that is locked is left out, and its run
// writes it by itself.
import { createBatcher } from '../async/batcher.ts'
import type { Database } from './connection.ts'

/** Events of one run, and how far its slides are. */
export interface SharedWrite {
  id: string
  token: string
  run: number
  /** The last number before these events. */
  seq: number
  /** Encoded; none of them terminal. */
  events: string[]
  slidesDone?: number | undefined
  progress?: number | undefined
  /** For how long the write renews the lease. */
  leaseMs: number
}

// One connection that fell silent is noticed only after a while. Who wrote over it has to wait for
// that; the others go on over another.
const slowBatchMs = 500

export type SharedWrites = ReturnType<typeof createSharedWrites>

export function createSharedWrites({ database }: { database: Pick<Database, 'query'> }) {
  const groups = createBatcher<SharedWrite, boolean>({ process: writeAll, slowBatchMs })

  async function writeAll(writes: SharedWrite[]): Promise<boolean[]> {
    const written = new Set(
      (await database.query<{ token: string }>(statement, columnsOf(writes))).map(
        ({ token }) => token,
      ),
    )
    return writes.map(({ token }) => written.has(token))
  }

  return {
    /**
     * True when the write is committed. False when it was left out: its row was locked, or the
     * lease is not what it was; by itself, it learns which. Rejects as the database does, with
     * DATABASE_UNAVAILABLE also when it waited too long; then it may have gone through.
     */
    write: groups.add,
  }
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
    insert into gateway.events (presentation_id, seq, run, data)
    select f.id, e.seq, e.run, e.data from unnest($8::uuid[], $9::bigint[], $10::int[], $11::text[]) as e(token, seq, run, data)
    join fence f using (token)
  ), changed as (
    update gateway.presentations p set slides_done = coalesce(f.slides_done, p.slides_done),
      progress = coalesce(f.progress, p.progress), updated_at = now()
    from fence f where p.id = f.id and (f.slides_done is not null or f.progress is not null)
  )
  select token from fence`

function columnsOf(writes: SharedWrite[]): unknown[][] {
  const events = writes.flatMap(({ token, seq, run, events }) =>
    events.map((data, n) => ({ token, seq: seq + 1 + n, run, data })),
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
    events.map(({ data }) => data),
  ]
}
