// GET /presentations/{id}/outlines: what the slides are, or will be, made from.

import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { idParams, outlinesAnswer, problemAnswers } from '../schemas.ts'

export type ReadOutlines = Pick<Life, 'outlines'>

export function readOutlinesRoute(app: App, { outlines }: ReadOutlines) {
  const schema = {
    operationId: 'readOutlines',
    tags: ['presentations'],
    summary: 'Read the outlines',
    params: idParams,
    response: { 200: outlinesAnswer, ...problemAnswers('NOT_FOUND', 'NOT_READY') },
  }

  app.get('/presentations/:id/outlines', { schema }, async (request) =>
    outlines({ userId: request.caller.userId, id: request.params.id }),
  )
}
