// POST /presentations/{id}/retry: a failed or cancelled run continues after its last finished
// stage.

import Type from 'typebox'
import { presentationRef } from '../../contract/presentation.ts'
import { retriedExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { defaultToEmptyBody } from '../../http/body/json-bodies.ts'
import {
  acceptedHeaders,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import type { Responding } from '../respond.ts'

export interface RetryPresentation extends Responding, Pick<PresentationCommands, 'retry'> {}

export function retryPresentationRoute(app: App, { respond, retry }: RetryPresentation) {
  const schema = {
    operationId: 'retryPresentation',
    tags: ['presentations'],
    summary: 'Continue a failed or cancelled presentation',
    description:
      'Continues after the last finished stage, as a new run in the same log. Released quota is reserved again.',
    openapi: { headers: idempotencyHeaders },
    params: idParams,
    body: Type.Object({}, { additionalProperties: false, examples: [{}] }),
    response: {
      202: jsonResponse(presentationRef, {
        description: 'Accepted: a new run is queued.',
        example: retriedExample,
        ...acceptedHeaders,
      }),
      ...problemResponsesOfWrite(
        'NOT_FOUND',
        'CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUEUE_FULL',
        'QUOTA_EXCEEDED',
        'QUOTA_EXHAUSTED',
      ),
    },
  }

  app.post(
    '/presentations/:id/retry',
    { schema, preValidation: defaultToEmptyBody },
    async (request, reply) => {
      const idempotency = readIdempotency(request)
      return sendStoredResponse(
        reply,
        await retry(
          { userId: request.caller.userId, id: request.params.id },
          { idempotency, respond },
        ),
      )
    },
  )
}
