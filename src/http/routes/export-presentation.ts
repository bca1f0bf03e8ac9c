// POST /presentations/{id}/exports: a further file of a finished deck, in the other format or the same again.

import Type from 'typebox'
import { exportFormatSchema } from '../../domain/presentation.ts'
import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { type Answering, idempotencyHeaders, readIdempotency, sendAnswer } from '../idempotency.ts'
import { idParams, presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface ExportPresentation extends Answering, Pick<Life, 'furtherExport'> {}

export function exportPresentationRoute(app: App, { answer, furtherExport }: ExportPresentation) {
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
      ...problemAnswersOfWrite('NOT_FOUND', 'CONFLICT', 'IDEMPOTENCY_KEY_REUSED', 'QUEUE_FULL'),
    },
  }

  app.post('/presentations/:id/exports', { schema }, async (request, reply) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    const idempotency = readIdempotency(request)
    return sendAnswer(reply, await furtherExport(own, request.body.format, { idempotency, answer }))
  })
}
