// PUT /presentations/{id}/outlines: approves the outlines of a run in review, or replaces them.

import Type from 'typebox'
import { type BriefLimits, outlinesSchema, titleSchema } from '../../contract/brief.ts'
import { type Presentation, presentationRef } from '../../contract/presentation.ts'
import { approvedExample } from '../../contract/presentation-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { defaultToEmptyBody } from '../../http/body/json-bodies.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import { blankOutlines, hasText } from '../read-brief.ts'
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
    body: Type.Object(
      {
        outlines: Type.Optional(
          outlinesSchema(
            limits.maxSlides,
            'One for each slide, in Markdown. Default: the proposed ones.',
          ),
        ),
        title: Type.Optional(titleSchema({ description: 'Default: the current title.' })),
      },
      {
        additionalProperties: false,
        examples: [{ outlines: ['# Why now\n- Demand doubled'], title: 'Why now' }, {}],
      },
    ),
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
      const { outlines, title } = request.body
      const errors = blankOutlines(outlines ?? [])
      if (errors.length > 0) throw new Problem('VALIDATION_FAILED', { errors })
      const own = { userId: request.caller.userId, id: request.params.id }
      const row = await approveOutlines(own, {
        outlines,
        title: title !== undefined && hasText(title) ? title : undefined,
      })
      return reply.code(202).send(view(row))
    },
  )
}
