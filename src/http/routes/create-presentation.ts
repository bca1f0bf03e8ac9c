// POST /presentations: takes a brief in. Whatever happens to its run is told by the presentation from then on.

import type { Answer } from '../../database/idempotency.ts'
import type { PresentationRow } from '../../database/presentations.ts'
import { type Brief, type BriefLimits, createBriefSchema, readBrief } from '../../domain/brief.ts'
import type { Presentation } from '../../domain/presentation.ts'
import type { App } from '../base.ts'
import { type Idempotency, idempotencyHeaders, readIdempotency } from '../idempotency.ts'
import { presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface CreatePresentation {
  limits: BriefLimits
  defaultTemplate: string
  view: (row: PresentationRow) => Presentation
  /** Makes the row, or finds what the same key made before; `answer` is what is kept for the key. */
  accept: (request: {
    userId: string
    brief: Brief
    idempotency?: Idempotency
    answer: (row: PresentationRow) => Answer
  }) => Promise<Answer & { replayed: boolean }>
}

export function createPresentationRoute(app: App, { limits, defaultTemplate, view, accept }: CreatePresentation) {
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
    const { status, location, body, replayed } = await accept({
      userId: request.caller.userId,
      brief,
      ...(idempotency && { idempotency }),
      answer(row) {
        const presentation = view(row)
        return { status: 202, location: presentation.links.self, body: presentation }
      },
    })
    if (replayed) reply.header('idempotency-replayed', 'true')
    return reply
      .code(status as 202)
      .header('location', location)
      .send(body as Presentation)
  })
}
