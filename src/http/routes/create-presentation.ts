// POST /presentations: takes a brief in. Whatever happens to its run is told by the presentation from then on.

import type { Answer } from '../../database/idempotency.ts'
import type { PresentationRow } from '../../database/presentations.ts'
import { type Brief, type BriefLimits, createBriefSchema, readBrief } from '../../domain/brief.ts'
import type { App } from '../base.ts'
import { type Answering, type Idempotency, idempotencyHeaders, readIdempotency, sendAnswer } from '../idempotency.ts'
import { presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface CreatePresentation extends Answering {
  limits: BriefLimits
  defaultTemplate: string
  /** Makes the row, or finds what the same key made before; `answer` is what is kept for the key. */
  accept: (request: {
    userId: string
    brief: Brief
    idempotency?: Idempotency
    answer: (row: PresentationRow) => Answer
  }) => Promise<Answer & { replayed: boolean }>
}

export function createPresentationRoute(app: App, { limits, defaultTemplate, answer, accept }: CreatePresentation) {
  const schema = {
    operationId: 'createPresentation',
    tags: ['presentations'],
    summary: 'Make a presentation from a conversation summary',
    headers: idempotencyHeaders,
    body: createBriefSchema(limits),
    response: {
      202: presentationRef,
      ...problemAnswersOfWrite(
        'CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUEUE_FULL',
        'QUOTA_EXCEEDED',
        'QUOTA_EXHAUSTED',
        'UPSTREAM_UNAVAILABLE',
      ),
    },
  }

  app.post('/presentations', { schema }, async (request, reply) => {
    const brief = readBrief(request.body, limits, { template: defaultTemplate })
    const idempotency = readIdempotency(request)
    const { userId } = request.caller
    return sendAnswer(reply, await accept({ userId, brief, ...(idempotency && { idempotency }), answer }))
  })
}
