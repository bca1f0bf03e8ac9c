// The wire schema of an approval of outlines: what the owner may replace before slides are made.

import Type, { type Static } from 'typebox'
import { type BriefLimits, outlinesSchema, templateSchema, titleSchema } from './brief.ts'

/** The body of `PUT /presentations/{id}/outlines`. Unknown members are refused. */
export function createApprovalSchema({ maxSlides }: Pick<BriefLimits, 'maxSlides'>) {
  return Type.Object(
    {
      outlines: Type.Optional(
        outlinesSchema(maxSlides, 'One for each slide, in Markdown. Default: the proposed ones.'),
      ),
      title: Type.Optional(titleSchema({ description: 'Default: the current title.' })),
      template: Type.Optional(templateSchema("Default: the brief's template.")),
    },
    {
      additionalProperties: false,
      examples: [
        { outlines: ['# Why now\n- Demand doubled'], title: 'Why now', template: 'modern' },
        {},
      ],
    },
  )
}

export type ApprovalBody = Static<ReturnType<typeof createApprovalSchema>>
