// Reads presentations. Every query for a user is limited to that user's rows here, so a foreign
// presentation looks like one that does not exist.
import { and, desc, eq, type SQL, sql } from 'drizzle-orm'
import { alias } from 'drizzle-orm/pg-core'
import type { Status } from '../../contract/presentation.ts'
import type { Queryable } from '../../database/connection.ts'
import { estimateInputs } from '../../database/durations.ts'
import { countAhead } from '../../database/queue.ts'
import { revisionOf } from '../../database/revisions.ts'
import type { files } from '../../database/schema/external.ts'
import { presentations } from '../../database/schema/presentations.ts'
import { build, columns, type Given, statement } from '../../database/statement.ts'
import type { EstimateInputs } from '../../domain/estimate.ts'

/** A finished file. `storedAt` is RFC 3339, as Postgres writes times into JSON. */
export type StoredFile = Omit<typeof files.$inferSelect, 'presentationId' | 'storedAt'> & {
  storedAt: string
}

// Under an alias: in a query of one table drizzle writes columns without their table, which inside
// a subquery would name another column.
const p = alias(presentations, 'p')

const rowColumns = {
  ...columns(
    p,
    ...(['id', 'userId', 'deckId', 'title', 'status', 'stage', 'run', 'attempt'] as const),
    ...(['progress', 'template', 'language', 'nSlides', 'slidesDone', 'exportAs'] as const),
    ...(['runFormat', 'makesFile', 'reviewOutlines', 'metadata', 'error', 'origin'] as const),
    'account',
    ...(['createdAt', 'updatedAt', 'startedAt', 'completedAt'] as const),
  ),
  files: sql<StoredFile[]>`coalesce((
    select json_agg(json_build_object('format', f.format, 'objectKey', f.object_key,
      'sizeBytes', f.size_bytes, 'sha256', f.sha256, 'contentType', f.content_type,
      'storedAt', f.stored_at, 'revision', f.revision) order by f.format desc)
    from gateway.files f where f.presentation_id = p.id), '[]'::json)`.as('files'),
  revision: sql<number | null>`${sql.raw(revisionOf('p'))}`.as('revision'),
  sources: sql<{ id: string; name: string }[]>`coalesce((
    select json_agg(json_build_object('id', s.source_id, 'name', s.name) order by s.position)
    from gateway.presentation_sources s where s.presentation_id = p.id), '[]'::json)`.as('sources'),
  /** From 1 for the run that is claimed next; null unless queued. */
  queuePosition: sql<number | null>`case when p.status = 'queued'
    then 1 + ${sql.raw(countAhead('p'))} end`.as('queuePosition'),
  estimate: sql<EstimateInputs | null>`${sql.raw(estimateInputs('p'))}`.as('estimate'),
}

const select = () => build.select(rowColumns).from(p)

const selectOfUser = statement((given: Given<{ userId: string; id: string }>) =>
  select().where(and(eq(p.id, given.id), eq(p.userId, given.userId))),
)

export type PresentationRow = Awaited<ReturnType<typeof selectOfUser>>[number]

/** One presentation of this user, or undefined. */
export async function findPresentation(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<PresentationRow | undefined> {
  const [row] = await selectOfUser(database, { userId, id })
  return row
}

const selectById = statement((given: Given<{ id: string }>) => select().where(eq(p.id, given.id)))

/** A presentation that this transaction has locked, with what the transaction has written. */
export async function readPresentation(client: Queryable, id: string): Promise<PresentationRow> {
  const [row] = await selectById(client, { id })
  if (!row) throw new Error('The presentation of this transaction does not exist.')
  return row
}

const selectOutlines = statement((given: Given<{ userId: string; id: string }>) =>
  build
    .select({
      ...columns(presentations, 'outlines', 'title'),
      isApproved: sql<boolean>`outlines_approved or deck_prepared or not review_outlines`.as(
        'isApproved',
      ),
    })
    .from(presentations)
    .where(and(eq(presentations.id, given.id), eq(presentations.userId, given.userId))),
)

/**
 * The outlines (null before they are written); undefined when the user has no such presentation.
 */
export async function findOutlines(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<{ outlines: string[] | null; title: string | null; isApproved: boolean } | undefined> {
  const [row] = await selectOutlines(database, { userId, id })
  return row
}

export interface ListQuery {
  userId: string
  status?: Status | undefined
  limit: number
  /** The last row of the previous page. */
  after?: { createdAt: Date; id: string } | undefined
}

type ListValues = Omit<ListQuery, 'after'> & Partial<NonNullable<ListQuery['after']>>
type Condition = (given: Given<ListValues>) => SQL

const hasStatus: Condition = (given) => eq(p.status, given.status)
const isAfter: Condition = (given) =>
  sql`(${p.createdAt}, ${p.id}) < (${given.createdAt}, ${given.id})`

// One statement for each combination of filters: a single one with optional filters would be
// planned without the index that fits.
const selectPage = (...conditions: Condition[]) =>
  statement((given: Given<ListValues>) =>
    select()
      .where(and(eq(p.userId, given.userId), ...conditions.map((condition) => condition(given))))
      .orderBy(desc(p.createdAt), desc(p.id))
      .limit(given.limit),
  )

const pages = {
  all: { first: selectPage(), later: selectPage(isAfter) },
  withStatus: { first: selectPage(hasStatus), later: selectPage(hasStatus, isAfter) },
}

/** A page of this user's presentations, newest first. */
export function listPresentations(
  database: Queryable,
  { userId, status, limit, after }: ListQuery,
): Promise<PresentationRow[]> {
  const { first, later } = status ? pages.withStatus : pages.all
  const selectRows = after ? later : first
  return selectRows(database, { userId, limit, status, ...after })
}
