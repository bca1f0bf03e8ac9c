// POST /presentations/{id}/cancel: ends the run under way. It takes no body and asks for no key: to
// stop twice is to stop once.

import type { Presentation } from '../../contract/presentation.ts'
import { presentationRef } from '../../contract/presentation.ts'
import type { App } from '../../http/base.ts'
import { idParams, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface CancelPresentation extends Pick<PresentationCommands, 'cancel'> {
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
    response: { 202: presentationRef, ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT') },
  }

  app.post('/presentations/:id/cancel', { schema }, async (request, reply) => {
    const row = await cancel({ userId: request.caller.userId, id: request.params.id })
    return reply.code(202).send(view(row))
  })
}
