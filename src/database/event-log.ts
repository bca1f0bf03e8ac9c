// Reads the event log of a presentation. Only run-write.ts and shared-writes.ts append to it. The
// statements are raw: windows over bytes, a batch of unnested ids, a delete that updates.

import type { Database } from './connection.ts'
import type { events } from './schema/log.ts'
import type { presentations } from './schema/presentations.ts'

/** Where a log stands before its first event is read. */
export type LogHead = Pick<typeof presentations.$inferSelect, 'run' | 'status'> & {
  /** The last number ever assigned. */
  lastSeq: number
  /** The first number still stored; `lastSeq + 1` when the log is pruned or empty. */
  firstSeq: number
}

export type LoggedEvent = Omit<typeof events.$inferSelect, 'presentationId'>

export interface LogPage {
  /** The latest run when the page was read. Terminal events of earlier runs are not delivered. */
  latestRun: number
  events: LoggedEvent[]
  /** More events follow. */
  hasMore: boolean
  /** The next events were removed. */
  isPruned: boolean
}

// A log may hold tens of thousands of events, and one statement has to remove them in time.
const logsPerPrune = 5
const eventsPerPage = 500
const bytesPerPage = 1024 * 1024

/** Where the log stands; undefined when the presentation does not belong to this user. */
export async function findLogHead(
  database: Pick<Database, 'query'>,
  { userId, id }: { userId: string; id: string },
): Promise<LogHead | undefined> {
  const rows = await database.query<LogHead>(
    `select p.run, p.status, l.last_seq as "lastSeq", coalesce(
       (select min(e.seq) from gateway.events e where e.presentation_id = p.id),
       l.last_seq + 1) as "firstSeq"
     from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
     where p.id = $1 and p.user_id = $2`,
    [id, userId],
  )
  return rows[0]
}

/**
 * The events after `after`, in order: at most 500 and about `maxBytes`, but at least one, however
 * large. Undefined when the presentation no longer exists.
 */
export async function readLogPage(
  database: Pick<Database, 'query'>,
  { id, after, maxBytes = bytesPerPage }: { id: string; after: number; maxBytes?: number },
): Promise<LogPage | undefined> {
  // One statement is one snapshot: the latest run and the events must belong together.
  const rows = await database.query<{
    latestRun: number
    lastSeq: number
    seq: number | null
    run: number
    kind: string | null
    terminal: boolean
    data: string
  }>(
    `select p.run as "latestRun", l.last_seq as "lastSeq",
       e.seq, e.run, e.kind, e.terminal, e.data
     from gateway.presentations p
     join gateway.leases l on l.presentation_id = p.id
     left join lateral (
       select seq, run, kind, terminal, data from (
         select seq, run, kind, terminal, data,
           sum(octet_length(data)) over (order by seq) - octet_length(data) as bytes_before
         from (
           select seq, run, kind, terminal, data from gateway.events
           where presentation_id = p.id and seq > $2 order by seq limit ${eventsPerPage}
         ) page
       ) sized where bytes_before < $3
     ) e on true
     where p.id = $1 order by e.seq`,
    [id, after, maxBytes],
  )
  const [first] = rows
  if (!first) return undefined
  const events = rows.flatMap(({ seq, run, kind, terminal, data }) =>
    seq === null ? [] : [{ seq, run, kind, terminal, data }],
  )
  const last = events.at(-1)
  const { latestRun, lastSeq } = first
  return {
    latestRun,
    events,
    hasMore: last !== undefined && last.seq < lastSeq,
    // Numbers are dense, so a gap after the cursor means that events were removed.
    isPruned: (events[0]?.seq ?? lastSeq + 1) > Math.min(after, lastSeq) + 1,
  }
}

/**
 * Compares several logs with the last number known of each. Returns those that have grown, with
 * their last number, and those that no longer exist, with undefined.
 */
export async function readLogChanges(
  database: Pick<Database, 'query'>,
  known: { ids: string[]; seqs: number[] },
): Promise<Map<string, number | undefined>> {
  const rows = await database.query<{ id: string; lastSeq: number | null }>(
    `select asked.id, l.last_seq as "lastSeq"
     from unnest($1::uuid[], $2::bigint[]) as asked(id, known)
     left join gateway.leases l on l.presentation_id = asked.id
     where l.last_seq > asked.known or l.presentation_id is null`,
    [known.ids, known.seqs],
  )
  return new Map(rows.map(({ id, lastSeq }) => [id, lastSeq ?? undefined]))
}

/**
 * Removes the logs of some presentations whose latest run ended more than `hours` ago. Returns the
 * number of removed logs, 0 when none is left. Event numbers are never assigned again.
 */
export async function pruneLogs(database: Pick<Database, 'query'>, hours: number): Promise<number> {
  const rows = await database.query(
    `with old as (
       select p.id from gateway.presentations p
       where p.ended_at < now() - make_interval(hours => $1)
         and p.status in ('completed', 'failed', 'cancelled')
       order by p.ended_at limit ${logsPerPrune} for no key update skip locked
     ), removed as (delete from gateway.events e using old where e.presentation_id = old.id)
     -- Without ended_at the row leaves the index that this statement reads.
     update gateway.presentations p set ended_at = null from old where p.id = old.id returning p.id`,
    [hours],
  )
  return rows.length
}
