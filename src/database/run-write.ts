// The statement with which a run writes: its events, its state and the lease, all or nothing. It is
// raw SQL because one round trip must check the fence, number the events and update the row.

import { getTableColumns } from 'drizzle-orm'
import type { EncodedEvent } from '../contract/events.ts'
import type { Queryable } from './connection.ts'
import { returningTurn } from './queue.ts'
import { presentations } from './schema/presentations.ts'

/** As a value of `RunChanges`: the database's own clock. */
export const databaseNow = Symbol('now()')

type Columns = typeof presentations.$inferSelect

/**
 * The state that a run may change. A title is only set while the presentation has none: the user's
 * own title stays.
 */
export type RunChanges = Partial<
  Pick<
    Columns,
    | ('status' | 'stage' | 'attempt' | 'progress' | 'title' | 'template' | 'nSlides')
    | 'slidesDone'
    | ('outlines' | 'outlinesApproved' | 'deckId' | 'account' | 'deckPrepared' | 'deckStreamed')
    | ('revision' | 'editFinished' | 'freshDeckId' | 'slidesBefore')
    | ('slidesFinished' | 'exportPath' | 'objectKey' | 'starts' | 'failures' | 'slideStreams')
    | 'limitWaitsMs'
    | 'runTrace'
    | ('uploads' | 'error' | 'reviewExpiresAt' | 'reviewWarned' | 'stageClock')
  > & { completedAt: typeof databaseNow; endedAt: typeof databaseNow }
>

/** A statement that joins a write: it runs in the same transaction, with the id as `$1`. */
export interface ExtraStatement {
  text: string
  /** From `$2` on. */
  values: unknown[]
  /** Called once the transaction is committed, in the process that wrote. */
  onCommitted?: () => void
}

/** The same for what takes more than one statement. */
export interface ExtraWork {
  work: (client: Queryable, id: string) => Promise<void>
  onCommitted?: () => void
}

/** To be called after the commit of a write. */
export function reportCommitted({ extraStatements }: Pick<EncodedRunWrite, 'extraStatements'>) {
  for (const { onCommitted } of extraStatements) onCommitted?.()
}

/** A write whose events are encoded. */
export interface EncodedRunWrite {
  events: EncodedEvent[]
  changes: RunChanges
  extraStatements: (ExtraStatement | ExtraWork)[]
  /** The lease ends with this write. */
  release: boolean
  /** The run's clock stops, until its next claim. */
  stopClock: boolean
  /** The run is queued again for this time at least; its clock continues. */
  requeueMs?: number | undefined
}

/** What must hold for a write to be applied. */
export interface Fence {
  id: string
  run: number
  /** The last number in the log. */
  seq: number
  /** Undefined inside a transaction that has locked the lease row. */
  token: string | undefined
  /** The write renews the lease for this long. */
  leaseMs: number | undefined
}

const columns = getTableColumns(presentations)
type Column = (typeof columns)[keyof typeof columns]

const isJson = ({ columnType }: Column) => columnType === 'PgJson' || columnType === 'PgJsonb'

/** Applies the write in the caller's transaction. False when the fence does not hold. */
export async function applyRunWrite(
  client: Queryable,
  fence: Fence,
  write: EncodedRunWrite,
): Promise<boolean> {
  const { text, values } = encodeRunWrite(fence, write)
  if ((await client.query(text, values)).length === 0) return false
  for (const extra of write.extraStatements) {
    if ('work' in extra) await extra.work(client, fence.id)
    else await client.query(extra.text, [fence.id, ...extra.values])
  }
  return true
}

/** The statement of a write, without its extra statements. It returns one row if it was applied. */
export function encodeRunWrite(
  fence: Fence,
  { events, changes, release, ...write }: Omit<EncodedRunWrite, 'extraStatements'>,
): { text: string; values: unknown[] } {
  const values: unknown[] = [fence.id, fence.seq, events.length]
  const parameter = (value: unknown) => `$${values.push(value)}`

  const token = fence.token === undefined ? '' : `and token = ${parameter(fence.token)}`
  const parts = [
    `fence as (
      update gateway.leases set last_seq = last_seq + $3${encodeLease(fence, release, parameter)}
      where presentation_id = $1 and last_seq = $2 ${token} returning 1)`,
  ]
  if (events.length > 0) {
    const kinds = parameter(events.map(({ kind }) => kind))
    const terminal = parameter(events.map(({ isTerminal }) => isTerminal))
    const data = parameter(events.map((event) => event.data))
    parts.push(`logged as (
      insert into gateway.events (presentation_id, seq, run, kind, terminal, data)
      select $1, $2 + n, ${parameter(fence.run)}::int, kind, terminal, data
      from fence, unnest(${kinds}::text[], ${terminal}::bool[], ${data}::text[])
        with ordinality as new(kind, terminal, data, n))`)
  }
  const assignments = [...encodeChanges(changes, parameter), ...encodeClock(write, parameter)]
  if (assignments.length > 0) {
    parts.push(`changed as (
      update gateway.presentations set ${assignments.join(', ')}, updated_at = now()
      from fence where id = $1)`)
  }
  return { text: `with ${parts.join(',\n')} select 1 from fence`, values }
}

type Parameter = (value: unknown) => string

function encodeLease({ leaseMs }: Fence, release: boolean, parameter: Parameter): string {
  if (release) return ', token = null, expires_at = null'
  if (!leaseMs) return ''
  const renewed = `clock_timestamp() + ${parameter(leaseMs)} * interval '1 ms'`
  return `, expires_at = greatest(expires_at, ${renewed})`
}

function encodeChanges(changes: RunChanges, parameter: Parameter): string[] {
  return Object.entries(changes).map(([name, value]) => {
    const column = columns[name as keyof RunChanges]
    if (value === databaseNow) return `${column.name} = now()`
    const isEncoded = isJson(column) && value !== null
    const assigned = parameter(isEncoded ? JSON.stringify(value) : value)
    if (name === 'title') return `title = coalesce(title, ${assigned})`
    return `${column.name} = ${assigned}`
  })
}

/** A run without a start waits for a claim; `resume_after` says that its clock continues. */
function encodeClock(
  { stopClock, requeueMs }: Pick<EncodedRunWrite, 'stopClock' | 'requeueMs'>,
  parameter: Parameter,
): string[] {
  if (!stopClock && requeueMs === undefined) return []
  const ranMs = '(extract(epoch from clock_timestamp() - run_started_at) * 1000)::bigint'
  const stopped = [`run_used_ms = run_used_ms + ${ranMs}`, 'run_started_at = null']
  if (requeueMs === undefined) return [...stopped, 'resume_after = null']
  const resumeAfter = `clock_timestamp() + ${parameter(requeueMs)} * interval '1 ms'`
  return [
    ...stopped,
    `turn = ${returningTurn}`,
    'queued_at = clock_timestamp()',
    `resume_after = ${resumeAfter}`,
  ]
}
