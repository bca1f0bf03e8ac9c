// GET /presentations: the caller's presentations, newest first, in pages.

import Type from 'typebox'
import {
  type Presentation,
  presentationPageSchema,
  statusSchema,
} from '../../contract/presentation.ts'
import { presentationPageExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { decodeCursor, encodeCursor } from '../../http/list-cursor.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { ListQuery, PresentationRow } from '../statements/queries.ts'

const defaultLimit = 20

export interface ListPresentations {
  view: (row: PresentationRow) => Presentation
  listPresentations: (query: ListQuery) => Promise<PresentationRow[]>
}

export function listPresentationsRoute(app: App, { view, listPresentations }: ListPresentations) {
  const schema = {
    operationId: 'listPresentations',
    tags: ['presentations'],
    summary: 'List your presentations, newest first',
    querystring: Type.Object({
      status: Type.Optional(statusSchema),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: defaultLimit })),
      cursor: Type.Optional(
        Type.String({ maxLength: 200, description: '`next_cursor` of the previous page.' }),
      ),
    }),
    response: {
      200: jsonResponse(presentationPageSchema, {
        description: 'One page.',
        example: presentationPageExample,
      }),
      ...problemResponses(),
    },
  }

  app.get('/presentations', { schema }, async (request) => {
    const { status, limit = defaultLimit, cursor } = request.query
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    // One more row than the limit says whether there is a next page.
    const rows = await listPresentations({
      userId: request.caller.userId,
      status,
      limit: limit + 1,
      after,
    })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(view),
      next_cursor: last && rows.length > limit ? encodeCursor(last) : null,
    }
  })
}
