// Tools that read presentations.

import Type from 'typebox'
import { nullable, text } from '../../contract/member-schemas.ts'
import { statusSchema } from '../../contract/presentation.ts'
import { createListPage } from '../../presentations/list-page.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import {
  presentationResult,
  presentationResultSchema,
  presentationSummarySchema,
  summarize,
} from '../presentation-result.ts'
import { dataResult, defineTool, readOnly } from '../tool.ts'
import type { WaitForRun } from '../wait.ts'
import { idMember, readId, waitMember } from './inputs.ts'

export interface ReadPresentations {
  listPresentations: PresentationServices['listPresentations']
  view: PresentationServices['view']
  waitForRun: WaitForRun
}

export function readPresentationTools(options: ReadPresentations) {
  const { listPresentations, view, waitForRun } = options
  const listPage = createListPage({ listPresentations, view })

  const getPresentation = defineTool({
    name: 'get_presentation',
    title: 'Look at a presentation',
    description:
      'The state of one presentation. With wait_seconds it answers when the run has ended.',
    annotations: readOnly,
    input: Type.Object({ id: idMember, wait_seconds: waitMember }, { additionalProperties: false }),
    output: presentationResultSchema,
    call: async ({ id, wait_seconds = 0 }, call) =>
      presentationResult(view(await waitForRun(readId(id), wait_seconds, call))),
  })

  const listTool = defineTool({
    name: 'list_presentations',
    title: 'List your presentations',
    description: "The user's presentations, newest first, in pages.",
    annotations: readOnly,
    input: Type.Object(
      {
        status: Type.Optional(statusSchema),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: 20 })),
        cursor: Type.Optional(
          Type.String({ maxLength: 200, description: 'next_cursor of the page before.' }),
        ),
      },
      { additionalProperties: false },
    ),
    output: Type.Object({
      items: Type.Array(presentationSummarySchema),
      next_cursor: nullable(text('For the next page; null on the last one.')),
    }),
    async call(query, { userId }) {
      const { items, next_cursor } = await listPage({ userId, ...query })
      return dataResult({ items: items.map(summarize), next_cursor })
    },
  })
  return [getPresentation, listTool]
}
