// POST /presentations/{id}/retry: a failed or cancelled one goes on from its last finished stage.

import Type from 'typebox'
import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { type Answering, idempotencyHeaders, readIdempotency, sendAnswer } from '../idempotency.ts'
import { noBodyIsEmpty } from '../request-body.ts'
import { idParams, presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface RetryPresentation extends Answering, Pick<Life, 'retry'> {}

export function retryPresentationRoute(app: App, { answer, retry }: RetryPresentation) {
  const schema = {
    operationId: 'retryPresentation',
    tags: ['presentations'],
    summary: 'Go on with a failed or cancelled one',
    description:
      'It goes on from its last finished stage, as a new run in the same log. Quota that was given back is reserved again.',
    headers: idempotencyHeaders,
    params: idParams,
    body: Type.Object({}, { additionalProperties: false }),
    response: {
      202: presentationRef,
      ...problemAnswersOfWrite(
        'NOT_FOUND',
        'CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUEUE_FULL',
        'QUOTA_EXCEEDED',
        'QUOTA_EXHAUSTED',
      ),
    },
  }

  app.post('/presentations/:id/retry', { schema, preValidation: noBodyIsEmpty }, async (request, reply) => {
    const idempotency = readIdempotency(request)
    return sendAnswer(reply, await retry({ userId: request.caller.userId, id: request.params.id }, { idempotency, answer }))
  })
}
