// GET /presentations/{id}/outlines: the outlines that the slides are made from.

import { outlinesResponseSchema } from '../../contract/presentation.ts'
import type { App } from '../../http/base.ts'
import { idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'

export type ReadOutlines = Pick<PresentationCommands, 'readOutlines'>

export function readOutlinesRoute(app: App, { readOutlines }: ReadOutlines) {
  const schema = {
    operationId: 'readOutlines',
    tags: ['presentations'],
    summary: 'Read the outlines',
    params: idParams,
    response: {
      200: jsonResponse(outlinesResponseSchema, {
        description: 'The outlines.',
        example: { outlines: ['# Why now\n- Demand doubled'], title: 'Why now' },
      }),
      ...problemResponses('NOT_FOUND', 'NOT_READY'),
    },
  }

  app.get('/presentations/:id/outlines', { schema }, async (request) =>
    readOutlines({ userId: request.caller.userId, id: request.params.id }),
  )
}
