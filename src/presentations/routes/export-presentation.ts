// POST /presentations/{id}/exports: makes a further file of a completed deck, in either format.

import Type from 'typebox'
import { exportFormatSchema, presentationRef } from '../../contract/presentation.ts'
import { exportingExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import {
  acceptedHeaders,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import type { Responding } from '../respond.ts'

export interface ExportPresentation extends Responding, Pick<PresentationCommands, 'exportAgain'> {}

export function exportPresentationRoute(app: App, { respond, exportAgain }: ExportPresentation) {
  const schema = {
    operationId: 'exportPresentation',
    tags: ['presentations'],
    summary: 'Export a completed deck again',
    description:
      'A run of the stages export and store. The deck and its files stay usable, also if it fails.',
    openapi: { headers: idempotencyHeaders },
    params: idParams,
    body: Type.Object(
      { format: exportFormatSchema },
      { additionalProperties: false, examples: [{ format: 'pdf' }] },
    ),
    response: {
      202: jsonResponse(presentationRef, {
        description: 'Accepted: the export waits for a worker.',
        example: exportingExample,
        ...acceptedHeaders,
      }),
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
