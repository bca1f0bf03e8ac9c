// Tools for the review of outlines.

import Type from 'typebox'
import { createApprovalSchema } from '../../contract/approval.ts'
import type { BriefLimits } from '../../contract/brief.ts'
import { outlinesResponseSchema } from '../../contract/presentation.ts'
import { readApproval } from '../../presentations/read-approval.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import { presentationResult, presentationResultSchema } from '../presentation-result.ts'
import { additive, dataResult, defineTool, readOnly } from '../tool.ts'
import { idMember, readId } from './inputs.ts'

export interface OutlineTools
  extends Pick<PresentationServices, 'readOutlines' | 'approveOutlines' | 'view'> {
  limits: BriefLimits
}

export function outlineTools({ readOutlines, approveOutlines, view, limits }: OutlineTools) {
  const getOutlines = defineTool({
    name: 'get_outlines',
    title: 'Read the outlines',
    description: 'The outlines that the slides are made from, one for each slide, in Markdown.',
    annotations: readOnly,
    input: Type.Object({ id: idMember }, { additionalProperties: false }),
    output: outlinesResponseSchema,
    call: async ({ id }, { userId }) => dataResult(await readOutlines({ userId, id: readId(id) })),
  })

  const approve = defineTool({
    name: 'approve_outlines',
    title: 'Approve the outlines',
    description:
      'Lets a presentation that awaits approval go on, with its outlines or with others in their place.',
    annotations: additive,
    input: Type.Object(
      { id: idMember, ...createApprovalSchema(limits).properties },
      { additionalProperties: false },
    ),
    output: presentationResultSchema,
    async call({ id, ...body }, { userId }) {
      const own = { userId, id: readId(id) }
      return presentationResult(view(await approveOutlines(own, readApproval(body))))
    },
  })
  return [getOutlines, approve]
}
