// PUT /presentations/{id}/outlines: approves the outlines of a run in review, or replaces them.

import { createApprovalSchema } from '../../contract/approval.ts'
import type { BriefLimits } from '../../contract/brief.ts'
import { type Presentation, presentationRef } from '../../contract/presentation.ts'
import { approvedExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { defaultToEmptyBody } from '../../http/body/json-bodies.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import { readApproval } from '../read-approval.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface ApproveOutlines extends Pick<PresentationCommands, 'approveOutlines'> {
  limits: Pick<BriefLimits, 'maxSlides'>
  view: (row: PresentationRow) => Presentation
}

export function approveOutlinesRoute(app: App, { limits, view, approveOutlines }: ApproveOutlines) {
  const schema = {
    operationId: 'approveOutlines',
    tags: ['presentations'],
    summary: 'Approve or replace the outlines',
    description:
      'Only while the presentation is `awaiting_outlines`. A full queue never refuses it.',
    params: idParams,
    body: createApprovalSchema(limits),
    response: {
      202: jsonResponse(presentationRef, {
        description: 'Approved: the run is queued again.',
        example: approvedExample,
      }),
      ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT', 'QUOTA_EXHAUSTED'),
    },
  }

  app.put(
    '/presentations/:id/outlines',
    { schema, preValidation: defaultToEmptyBody },
    async (request, reply) => {
      const own = { userId: request.caller.userId, id: request.params.id }
      const row = await approveOutlines(own, readApproval(request.body))
      return reply.code(202).send(view(row))
    },
  )
}
