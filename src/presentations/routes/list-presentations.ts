// GET /presentations: the caller's presentations, newest first, in pages.

import Type from 'typebox'
import {
  type Presentation,
  presentationPageSchema,
  statusSchema,
} from '../../contract/presentation.ts'
import { presentationPageExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import { createListPage, defaultLimit } from '../list-page.ts'
import type { ListQuery, PresentationRow } from '../statements/queries.ts'

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

  const listPage = createListPage({ listPresentations, view })
  app.get('/presentations', { schema }, (request) =>
    listPage({ userId: request.caller.userId, ...request.query }),
  )
}
