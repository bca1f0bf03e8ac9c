// POST /presentations: accepts a brief. From then on the presentation tells the state of its run.

import { type BriefLimits, createBriefSchema } from '../../contract/brief.ts'
import { presentationRef } from '../../contract/presentation.ts'
import type { IdempotentResponse } from '../../database/idempotency.ts'
import type { StoredResponse } from '../../database/schema/users.ts'
import type { App } from '../../http/base.ts'
import {
  type Idempotency,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { problemResponsesOfWrite } from '../../http/schemas.ts'
import { type Brief, readBrief } from '../read-brief.ts'
import type { Responding } from '../respond.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface CreatePresentation extends Responding {
  limits: BriefLimits
  defaultTemplate: string
  /** Inserts the row, or returns the stored response of the same key. */
  accept: (request: {
    userId: string
    brief: Brief
    usesDefaultTemplate: boolean
    idempotency?: Idempotency
    respond: (row: PresentationRow) => StoredResponse
  }) => Promise<IdempotentResponse>
}

export function createPresentationRoute(
  app: App,
  { limits, defaultTemplate, respond, accept }: CreatePresentation,
) {
  const schema = {
    operationId: 'createPresentation',
    tags: ['presentations'],
    summary: 'Create a presentation from a conversation summary',
    headers: idempotencyHeaders,
    body: createBriefSchema(limits),
    response: {
      202: presentationRef,
      ...problemResponsesOfWrite(
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
    const accepted = await accept({
      userId: request.caller.userId,
      brief,
      usesDefaultTemplate: request.body.template === undefined,
      ...(idempotency && { idempotency }),
      respond,
    })
    return sendStoredResponse(reply, accepted)
  })
}
