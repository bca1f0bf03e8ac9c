// Tools that end, continue and delete presentations.

import Type from 'typebox'
import type { Presentation } from '../../contract/presentation.ts'
import { createAcceptedResponse } from '../../presentations/respond.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import { presentationResult, presentationResultSchema } from '../presentation-result.ts'
import { additive, defineTool, destructive } from '../tool.ts'
import { idMember, readId } from './inputs.ts'

export type ChangePresentations = Pick<PresentationServices, 'cancel' | 'retry' | 'remove' | 'view'>

export function changePresentationTools({ cancel, retry, remove, view }: ChangePresentations) {
  const input = Type.Object({ id: idMember }, { additionalProperties: false })

  const cancelTool = defineTool({
    name: 'cancel_presentation',
    title: 'Cancel a presentation',
    description: 'Ends the run. What was made so far is kept, and retry_presentation continues it.',
    annotations: destructive,
    input,
    output: presentationResultSchema,
    call: async ({ id }, { userId }) =>
      presentationResult(view(await cancel({ userId, id: readId(id) }))),
  })

  const respond = createAcceptedResponse(view)
  const retryTool = defineTool({
    name: 'retry_presentation',
    title: 'Continue a presentation',
    description: 'Continues a failed or cancelled presentation after its last finished stage.',
    annotations: additive,
    input,
    output: presentationResultSchema,
    async call({ id }, { userId }) {
      const { body } = await retry({ userId, id: readId(id) }, { respond })
      return presentationResult(body as Presentation)
    },
  })

  const deleteTool = defineTool({
    name: 'delete_presentation',
    title: 'Delete a presentation',
    description: 'Deletes the presentation and its files for good.',
    annotations: destructive,
    input,
    output: Type.Object({ deleted: Type.Literal(true) }),
    async call({ id }, { userId }) {
      await remove({ userId, id: readId(id) })
      return { structured: { deleted: true as const }, text: 'Deleted.' }
    },
  })
  return [cancelTool, retryTool, deleteTool]
}
