// POST /presentations: accepts a brief. From then on the presentation tells the state of its run.

import { type BriefLimits, createBriefSchema } from '../../contract/brief.ts'
import { type Origin, presentationRef } from '../../contract/presentation.ts'
import { queuedExample } from '../../contract/presentation-examples.ts'
import type { IdempotentResponse } from '../../database/idempotency.ts'
import type { StoredResponse } from '../../database/schema/users.ts'
import type { App } from '../../http/base.ts'
import {
  acceptedHeaders,
  type Idempotency,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
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
    origin: Origin
    usesDefaultTemplate: boolean
    idempotency?: Idempotency
    respond: (row: PresentationRow) => StoredResponse
    respondWithTwin?: (row: PresentationRow) => StoredResponse
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
    openapi: { headers: idempotencyHeaders },
    body: createBriefSchema(limits),
    response: {
      202: jsonResponse(presentationRef, {
        description: 'Accepted: the run is queued.',
        example: queuedExample,
        ...acceptedHeaders,
      }),
      ...problemResponsesOfWrite(
        'CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUEUE_FULL',
        'QUOTA_EXCEEDED',
        'QUOTA_EXHAUSTED',
      ),
    },
  }

  app.post('/presentations', { schema }, async (request, reply) => {
    const brief = readBrief(request.body, limits, { template: defaultTemplate })
    const idempotency = readIdempotency(request)
    const accepted = await accept({
      userId: request.caller.userId,
      brief,
      origin: 'api',
      usesDefaultTemplate: request.body.template === undefined,
      ...(idempotency && { idempotency }),
      respond,
    })
    return sendStoredResponse(reply, accepted)
  })
}
