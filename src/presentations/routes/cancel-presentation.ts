// POST /presentations/{id}/cancel: ends the current run. Repeating it changes nothing, so it takes
// no idempotency key.

import { type Presentation, presentationRef } from '../../contract/presentation.ts'
import { cancelledExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface CancelPresentation extends Pick<PresentationCommands, 'cancel'> {
  view: (row: PresentationRow) => Presentation
}

export function cancelPresentationRoute(app: App, { view, cancel }: CancelPresentation) {
  const schema = {
    operationId: 'cancelPresentation',
    tags: ['presentations'],
    summary: 'Cancel the current run',
    description:
      'A cancelled export leaves its deck completed. Cancelling again changes nothing. A completed or failed presentation is a conflict.',
    params: idParams,
    response: {
      202: jsonResponse(presentationRef, {
        description: 'The run has ended.',
        example: cancelledExample,
      }),
      ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT'),
    },
  }

  app.post('/presentations/:id/cancel', { schema }, async (request, reply) => {
    const row = await cancel({ userId: request.caller.userId, id: request.params.id })
    return reply.code(202).send(view(row))
  })
}
