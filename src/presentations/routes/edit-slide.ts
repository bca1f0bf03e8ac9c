// POST /presentations/{id}/slides/{index}/edit: the model changes one slide, in a run of its own.

import Type from 'typebox'
import { presentationRef } from '../../contract/presentation.ts'
import { editingExample } from '../../contract/presentation-examples.ts'
import { slideEditSchema } from '../../contract/slide-changes.ts'
import type { App } from '../../http/base.ts'
import {
  acceptedHeaders,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { ifMatchHeaders } from '../../http/preconditions.ts'
import { jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { Responding } from '../respond.ts'
import type { StartEdit } from '../slides/start-edit.ts'
import { readChangeRequest, slideParams } from './slide-responses.ts'

export interface EditSlide extends Responding {
  startEdit: StartEdit
}

export function editSlideRoute(app: App, { startEdit, respond }: EditSlide) {
  const schema = {
    operationId: 'editSlide',
    tags: ['presentations'],
    summary: 'Let the model change a slide',
    description:
      'A run of the stage edit; with `export`, of the stages export and store, too. If it fails or is cancelled, the deck stays as it was. `NOT_SUPPORTED` where `edit` of the capabilities is false.',
    openapi: { headers: Type.Interface([ifMatchHeaders, idempotencyHeaders], {}) },
    params: slideParams,
    body: slideEditSchema,
    response: {
      202: jsonResponse(presentationRef, {
        description: 'Accepted: the edit waits for a worker.',
        example: editingExample,
        ...acceptedHeaders,
      }),
      ...problemResponsesOfWrite(
        'NOT_FOUND',
        'CONFLICT',
        'NOT_SUPPORTED',
        'REVISION_CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUEUE_FULL',
        'QUOTA_EXCEEDED',
      ),
    },
  }

  app.post('/presentations/:id/slides/:index/edit', { schema }, async (request, reply) => {
    const { instruction, export: makesFile = false } = request.body
    const index = Number(request.params.index)
    const edit = { ...readChangeRequest(request, reply), index, instruction, makesFile }
    const idempotency = readIdempotency(request)
    return sendStoredResponse(reply, await startEdit(edit, { idempotency, respond }))
  })
}
