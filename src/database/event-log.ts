// The log of a presentation: reading it in pages. Writing goes through run-log.ts, which holds the
// lease that numbers it.

import type { Status } from '../contract/presentation.ts'
import type { Database } from './connection.ts'

/** Where a log stands: what a new reader must know before its first event. */
export interface LogHead {
  run: number
  status: Status
  /** The last number ever given. */
  lastSeq: number
  /** The first number still kept; `lastSeq + 1` when the log is pruned or empty. */
  firstSeq: number
}

export interface LoggedEvent {
  seq: number
  run: number
  /** Ends its run: `complete` or `error`. */
  terminal: boolean
  /** The encoded JSON of the event. */
  data: string
}

export interface LogPage {
  /**
   * The latest run at the moment of reading: terminal events of earlier runs are not for readers
   * any more.
   */
  latestRun: number
  events: LoggedEvent[]
  /** More events are known to follow. */
  more: boolean
  /** What should have come next is not kept any more. */
  isPruned: boolean
}

// A log may hold tens of thousands of events: together they must not take longer than a statement
// may.
const prunedTogether = 5
const pageEvents = 500
const pageBytes = 1024 * 1024

/** Where the log of this owner's presentation stands, or undefined when it isn't theirs. */
export async function findLogHead(
  database: Pick<Database, 'query'>,
  { userId, id }: { userId: string; id: string },
): Promise<LogHead | undefined> {
  const rows = await database.query<LogHead>(
    `select p.run, p.status, l.last_seq as "lastSeq",
       coalesce((select min(e.seq) from gateway.events e where e.presentation_id = p.id), l.last_seq + 1) as "firstSeq"
     from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
     where p.id = $1 and p.user_id = $2`,
    [id, userId],
  )
  return rows[0]
}

/**
 * The events after `after`, in order, about `maxBytes` of them at the most; undefined when the
 * presentation is gone.
 */
export async function readLogPage(
  database: Pick<Database, 'query'>,
  { id, after, maxBytes = pageBytes }: { id: string; after: number; maxBytes?: number },
): Promise<LogPage | undefined> {
  // One statement, one snapshot: what is latest and what is there belong together. Always at least
  // one event, however large.
  const rows = await database.query<{
    latestRun: number
    lastSeq: number
    seq: number | null
    run: number
    terminal: boolean
    data: string
  }>(
    `select p.run as "latestRun", l.last_seq as "lastSeq", e.seq, e.run, e.terminal, e.data
     from gateway.presentations p
     join gateway.leases l on l.presentation_id = p.id
     left join lateral (
       select seq, run, terminal, data from (
         select seq, run, terminal, data, sum(octet_length(data)) over (order by seq) - octet_length(data) as before
         from (select seq, run, terminal, data from gateway.events
               where presentation_id = p.id and seq > $2 order by seq limit ${pageEvents}) page
       ) sized where before < $3
     ) e on true
     where p.id = $1 order by e.seq`,
    [id, after, maxBytes],
  )
  const first = rows[0]
  if (!first) return undefined
  const events = rows.flatMap(({ seq, run, terminal, data }) =>
    seq === null ? [] : [{ seq, run, terminal, data }],
  )
  const last = events.at(-1)
  const { latestRun, lastSeq } = first
  return {
    latestRun,
    events,
    more: last !== undefined && last.seq < lastSeq,
    // Numbers are dense, and one snapshot holds them all.
    isPruned: (events[0]?.seq ?? lastSeq + 1) > Math.min(after, lastSeq) + 1,
  }
}

/**
 * Of several logs at once, each with the last number known, those that have grown, with their last
 * number, and those that are gone, with undefined: the poll that makes a lost notification cost no
 * more than a moment. What stands still costs no answer.
 */
export async function readLogChanges(
  database: Pick<Database, 'query'>,
  known: { ids: string[]; seqs: number[] },
): Promise<Map<string, number | undefined>> {
  const rows = await database.query<{ id: string; lastSeq: number | null }>(
    `select asked.id, l.last_seq as "lastSeq" from unnest($1::uuid[], $2::bigint[]) as asked(id, known)
     left join gateway.leases l on l.presentation_id = asked.id where l.last_seq > asked.known or l.presentation_id is null`,
    [known.ids, known.seqs],
  )
  return new Map(rows.map(({ id, lastSeq }) => [id, lastSeq ?? undefined]))
}

/**
 * Removes some whole logs whose latest run ended more than `hours` ago; their numbers stay used.
 * Returns how many logs.
 */
export async function pruneLogs(database: Pick<Database, 'query'>, hours: number): Promise<number> {
  const rows = await database.query(
    `with old as (
       select p.id from gateway.presentations p
       where p.ended_at < now() - make_interval(hours => $1) and p.status in ('completed', 'failed', 'cancelled')
       order by p.ended_at limit ${prunedTogether} for no key update skip locked
     ), gone as (delete from gateway.events e using old where e.presentation_id = old.id)
     -- Not to be looked at again: presentations stay for ever, and would all be passed on the way to the next log.
     update gateway.presentations p set ended_at = null from old where p.id = old.id returning p.id`,
    [hours],
  )
  return rows.length
}
