// POST /presentations/{id}/cancel: ends the run under way. It takes no body and asks for no key: to stop twice is to stop once.

import type { PresentationRow } from '../../database/presentations.ts'
import type { Presentation } from '../../domain/presentation.ts'
import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { idParams, presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface CancelPresentation extends Pick<Life, 'cancel'> {
  view: (row: PresentationRow) => Presentation
}

export function cancelPresentationRoute(app: App, { view, cancel }: CancelPresentation) {
  const schema = {
    operationId: 'cancelPresentation',
    tags: ['presentations'],
    summary: 'Cancel the run under way',
    description:
      'A cancelled export of a completed deck leaves it completed. One that is cancelled already stays so; any other end is a conflict.',
    params: idParams,
    response: { 202: presentationRef, ...problemAnswersOfWrite('NOT_FOUND', 'CONFLICT') },
  }

  app.post('/presentations/:id/cancel', { schema }, async (request, reply) => {
    const row = await cancel({ userId: request.caller.userId, id: request.params.id })
    return reply.code(202).send(view(row))
  })
}
