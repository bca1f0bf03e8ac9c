import Type from 'typebox'
import { type BriefLimits, createBriefSchema } from '../../contract/brief.ts'
import type { Presentation } from '../../contract/presentation.ts'
import { readBrief } from '../../presentations/read-brief.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import type { PresentationRow } from '../../presentations/statements/queries.ts'
import { readToolKey } from '../idempotency.ts'
import { presentationResult, presentationResultSchema } from '../presentation-result.ts'
import { additive, defineTool } from '../tool.ts'
import type { WaitForRun } from '../wait.ts'
import { keyMember, waitMember } from './inputs.ts'

export interface MakePresentation {
  accept: PresentationServices['accept']
  view: PresentationServices['view']
  waitForRun: WaitForRun
  limits: BriefLimits
  defaultTemplate: string
}

const repeatedKey = 'This idempotency_key made this presentation before; nothing new was made.'
const foundTwin =
  'This unfinished presentation of the same brief was there already; nothing new was made.'

export function makePresentationTool(options: MakePresentation) {
  const { accept, view, waitForRun, limits, defaultTemplate } = options
  const name = 'make_presentation'
  return defineTool({
    name,
    title: 'Make a presentation',
    description:
      'Makes a slide deck from a summary (content) or from outlines, and answers with its id at once. The run takes minutes and goes on by itself.',
    annotations: additive,
    input: Type.Object(
      {
        ...createBriefSchema(limits).properties,
        idempotency_key: keyMember,
        wait_seconds: waitMember,
      },
      { additionalProperties: false },
    ),
    output: presentationResultSchema,
    async call({ idempotency_key, wait_seconds = 0, ...body }, call) {
      const brief = readBrief(body, limits, { template: defaultTemplate })
      const idempotency = readToolKey(name, idempotency_key, body)
      let isTwin = false
      const respond = (row: PresentationRow) => {
        const presentation = view(row)
        return { status: 202, location: presentation.links.self, body: presentation }
      }
      const accepted = await accept({
        userId: call.userId,
        brief,
        origin: 'mcp',
        usesDefaultTemplate: body.template === undefined,
        respond,
        ...(idempotency
          ? { idempotency }
          : {
              respondWithTwin: (row: PresentationRow) => {
                isTwin = true
                return respond(row)
              },
            }),
      })
      // A stored response is as old as its key, and the wait needs the row in any case.
      const row = await waitForRun((accepted.body as Presentation).id, wait_seconds, call)
      const prefix = accepted.replayed ? repeatedKey : isTwin ? foundTwin : undefined
      return presentationResult(view(row), prefix)
    },
  })
}
