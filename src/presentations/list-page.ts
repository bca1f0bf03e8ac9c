import type { Presentation, PresentationPage, Status } from '../contract/presentation.ts'
import { decodeCursor, encodeCursor } from '../http/list-cursor.ts'
import type { ListQuery, PresentationRow } from './statements/queries.ts'

export const defaultLimit = 20

export interface PageRequest {
  userId: string
  status?: Status | undefined
  limit?: number | undefined
  /** `next_cursor` of the page before. */
  cursor?: string | undefined
}

/** A page of a user's presentations. @throws Problem VALIDATION_FAILED for a foreign cursor */
export function createListPage({
  listPresentations,
  view,
}: {
  listPresentations: (query: ListQuery) => Promise<PresentationRow[]>
  view: (row: PresentationRow) => Presentation
}) {
  return async function listPage({
    userId,
    status,
    limit = defaultLimit,
    cursor,
  }: PageRequest): Promise<PresentationPage> {
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    // One more row than the limit says whether there is a next page.
    const rows = await listPresentations({ userId, status, limit: limit + 1, after })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(view),
      next_cursor: last && rows.length > limit ? encodeCursor(last) : null,
    }
  }
}
