// GET /sources/{id}: one source.

import { type Source, sourceExample, sourceRef } from '../../contract/source.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { SourceRow } from '../statements.ts'

export interface ReadSource {
  findSource: (own: { userId: string; id: string }) => Promise<SourceRow | undefined>
  view: (row: SourceRow) => Source
}

export function readSourceRoute(app: App, { findSource, view }: ReadSource) {
  const schema = {
    operationId: 'readSource',
    tags: ['sources'],
    summary: 'Read one source',
    params: idParams,
    response: {
      200: jsonResponse(sourceRef, { description: 'The source.', example: sourceExample }),
      ...problemResponses('NOT_FOUND'),
    },
  }

  app.get('/sources/:id', { schema }, async (request) => {
    const row = await findSource({ userId: request.caller.userId, id: request.params.id })
    if (!row) throw new Problem('NOT_FOUND')
    return view(row)
  })
}
