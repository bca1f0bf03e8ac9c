// GET /sources: the caller's sources, newest first, in pages.

import Type from 'typebox'
import { type Source, sourceExample, sourcePageSchema } from '../../contract/source.ts'
import type { App } from '../../http/base.ts'
import { decodeCursor, encodeCursor } from '../../http/list-cursor.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { SourceListQuery, SourceRow } from '../statements.ts'

export interface ListSources {
  listSources: (query: SourceListQuery) => Promise<SourceRow[]>
  view: (row: SourceRow) => Source
}

const defaultLimit = 20

export function listSourcesRoute(app: App, { listSources, view }: ListSources) {
  const schema = {
    operationId: 'listSources',
    tags: ['sources'],
    summary: 'List your sources, newest first',
    querystring: Type.Object({
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: defaultLimit })),
      cursor: Type.Optional(
        Type.String({ maxLength: 200, description: '`next_cursor` of the previous page.' }),
      ),
    }),
    response: {
      200: jsonResponse(sourcePageSchema, {
        description: 'One page.',
        example: { items: [sourceExample], next_cursor: null },
      }),
      ...problemResponses(),
    },
  }

  app.get('/sources', { schema }, async (request) => {
    const { limit = defaultLimit, cursor } = request.query
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    // One more row than the limit says whether there is a next page.
    const { userId } = request.caller
    const rows = await listSources({ userId, limit: limit + 1, after })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(view),
      next_cursor: last && rows.length > limit ? encodeCursor(last) : null,
    }
  })
}
