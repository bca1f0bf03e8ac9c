// PUT /presentations/{id}/outlines: the outlines that waited for review are approved, as they are or as they stand in the body.

import Type from 'typebox'
import type { PresentationRow } from '../../database/presentations.ts'
import { type BriefLimits, blankOutlines, hasText, outlinesSchema, titleSchema } from '../../domain/brief.ts'
import type { Presentation } from '../../domain/presentation.ts'
import { Problem } from '../../domain/problem.ts'
import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { noBodyIsEmpty } from '../request-body.ts'
import { idParams, presentationRef, problemAnswersOfWrite } from '../schemas.ts'

export interface ApproveOutlines extends Pick<Life, 'approve'> {
  limits: Pick<BriefLimits, 'maxSlides'>
  view: (row: PresentationRow) => Presentation
}

export function approveOutlinesRoute(app: App, { limits, view, approve }: ApproveOutlines) {
  const schema = {
    operationId: 'approveOutlines',
    tags: ['presentations'],
    summary: 'Approve the outlines, or give other ones',
    description:
      'While it waits for its outlines to be approved; at any other time it is a conflict. A full queue never refuses it.',
    params: idParams,
    body: Type.Object(
      {
        outlines: Type.Optional(outlinesSchema(limits.maxSlides, 'One a slide, in Markdown. Without them: as they are.')),
        title: Type.Optional(titleSchema({ description: 'Without one: as it is.' })),
      },
      { additionalProperties: false },
    ),
    response: { 202: presentationRef, ...problemAnswersOfWrite('NOT_FOUND', 'CONFLICT', 'QUOTA_EXHAUSTED') },
  }

  app.put('/presentations/:id/outlines', { schema, preValidation: noBodyIsEmpty }, async (request, reply) => {
    const { outlines, title } = request.body
    const errors = blankOutlines(outlines ?? [])
    if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
    const own = { userId: request.caller.userId, id: request.params.id }
    const row = await approve(own, { outlines, title: title !== undefined && hasText(title) ? title : undefined })
    return reply.code(202).send(view(row))
  })
}
