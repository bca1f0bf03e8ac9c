// POST /presentations/{id}/exports: a further file of a finished deck, in the other format or the
// same again.

import Type from 'typebox'
import { exportFormatSchema, presentationRef } from '../../contract/presentation.ts'
import type { App } from '../../http/base.ts'
import { idempotencyHeaders, readIdempotency, sendStoredResponse } from '../../http/idempotency.ts'
import { idParams, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import type { Responding } from '../respond.ts'

export interface ExportPresentation extends Responding, Pick<PresentationCommands, 'exportAgain'> {}

export function exportPresentationRoute(app: App, { respond, exportAgain }: ExportPresentation) {
  const schema = {
    operationId: 'exportPresentation',
    tags: ['presentations'],
    summary: 'Export a completed deck once more',
    description:
      'A run of its own, of the stages export and store alone. The deck and its files stay as they are meanwhile, and if it fails.',
    headers: idempotencyHeaders,
    params: idParams,
    body: Type.Object({ format: exportFormatSchema }, { additionalProperties: false }),
    response: {
      202: presentationRef,
      ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT', 'IDEMPOTENCY_KEY_REUSED', 'QUEUE_FULL'),
    },
  }

  app.post('/presentations/:id/exports', { schema }, async (request, reply) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    const idempotency = readIdempotency(request)
    return sendStoredResponse(
      reply,
      await exportAgain(own, request.body.format, { idempotency, respond }),
    )
  })
}
