// Reading presentations. Every query here is scoped by owner, in this one place: a foreign row is
// as absent as an unknown one.
import type { Status } from '../../contract/presentation.ts'
import type { Database, Queryable } from '../../database/connection.ts'
import { countAhead } from '../../database/queue.ts'

export interface StoredFile {
  format: 'pptx' | 'pdf'
  objectKey: string
  sizeBytes: number
  sha256: string
  contentType: string
  /** RFC 3339, as Postgres wrote it into JSON. */
  storedAt: string
}

export interface PresentationRow {
  id: string
  userId: string
  presentonPresentationId: string | null
  title: string | null
  status: Status
  stage: string | null
  run: number
  attempt: number
  progress: number
  template: string
  language: string
  nSlides: number
  slidesDone: number
  exportAs: 'pptx' | 'pdf'
  /** What the latest run makes. */
  runFormat: 'pptx' | 'pdf'
  reviewOutlines: boolean
  metadata: Record<string, string>
  files: StoredFile[]
  error: { code: string; detail: string; retryable: boolean } | null
  /** From 1 for the next one to be claimed; null unless queued. */
  queuePosition: number | null
  createdAt: Date
  updatedAt: Date
  startedAt: Date | null
  completedAt: Date | null
}

// The position counts those before it in the fair order; `presentations_waiting` is an index on
// exactly that.
const columns = `
  p.id, p.user_id as "userId", p.presenton_presentation_id as "presentonPresentationId", p.title, p.status, p.stage, p.run,
  p.attempt, p.progress, p.template, p.language, p.n_slides as "nSlides", p.slides_done as "slidesDone",
  p.export_as as "exportAs", p.run_format as "runFormat", p.review_outlines as "reviewOutlines", p.metadata, p.error,
  p.created_at as "createdAt", p.updated_at as "updatedAt", p.started_at as "startedAt", p.completed_at as "completedAt",
  coalesce((
    select json_agg(json_build_object('format', f.format, 'objectKey', f.object_key, 'sizeBytes', f.size_bytes,
      'sha256', f.sha256, 'contentType', f.content_type, 'storedAt', f.stored_at) order by f.format desc)
    from gateway.files f where f.presentation_id = p.id), '[]'::json) as files,
  case when p.status = 'queued' then 1 + ${countAhead('p')} end as "queuePosition"`

/** One presentation of this owner, or undefined. */
export async function findPresentation(
  database: Pick<Database, 'query'>,
  { userId, id }: { userId: string; id: string },
): Promise<PresentationRow | undefined> {
  const rows = await database.query<PresentationRow>(
    `select ${columns} from gateway.presentations p where p.id = $1 and p.user_id = $2`,
    [id, userId],
  )
  return rows[0]
}

/** The same inside a transaction of the caller's, seeing what that has written. */
export async function readPresentation(client: Queryable, id: string): Promise<PresentationRow> {
  const rows = await client.query<PresentationRow>(
    `select ${columns} from gateway.presentations p where p.id = $1`,
    [id],
  )
  if (!rows[0]) throw new Error('The presentation of this transaction is missing.')
  return rows[0]
}

/** What the slides are made from; undefined when the presentation isn't this owner's. */
export async function findOutlines(
  database: Pick<Database, 'query'>,
  { userId, id }: { userId: string; id: string },
): Promise<{ outlines: string[] | null; title: string | null } | undefined> {
  const rows = await database.query<{ outlines: string[] | null; title: string | null }>(
    'select outlines, title from gateway.presentations where id = $1 and user_id = $2',
    [id, userId],
  )
  return rows[0]
}

export interface ListQuery {
  userId: string
  status?: Status | undefined
  limit: number
  /** The last row of the page before. */
  after?: { createdAt: Date; id: string } | undefined
}

/** A page of this owner's presentations, newest first. */
export function listPresentations(
  database: Pick<Database, 'query'>,
  { userId, status, limit, after }: ListQuery,
) {
  const values: unknown[] = [userId, limit]
  let where = 'p.user_id = $1'
  if (status) where += ` and p.status = $${values.push(status)}`
  if (after)
    where += ` and (p.created_at, p.id) < ($${values.push(after.createdAt)}, $${values.push(after.id)})`
  return database.query<PresentationRow>(
    `select ${columns} from gateway.presentations p where ${where} order by p.created_at desc, p.id desc limit $2`,
    values,
  )
}
