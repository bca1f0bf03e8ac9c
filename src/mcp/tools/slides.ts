// Tools that read the slides of a finished deck, and let the model change one.

import Type from 'typebox'
import { count, text } from '../../contract/member-schemas.ts'
import { slideEditSchema } from '../../contract/slide-changes.ts'
import { createAcceptedResponse } from '../../presentations/respond.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import { slideView } from '../../presenton/slide-view.ts'
import { readToolKey } from '../idempotency.ts'
import { presentationResultSchema, startedResult } from '../presentation-result.ts'
import { describeSlide } from '../slide-text.ts'
import { dataResult, defineTool, destructive, readOnly } from '../tool.ts'
import type { WaitForRun } from '../wait.ts'
import { idMember, keyMember, readId } from './inputs.ts'

export interface SlideTools extends Pick<PresentationServices, 'slides' | 'startEdit' | 'view'> {
  waitForRun: WaitForRun
}

export function slideTools({ slides, startEdit, view, waitForRun }: SlideTools) {
  const getSlides = defineTool({
    name: 'get_slides',
    title: 'Read the slides',
    description: 'What the slides of a completed deck say: title and text of each.',
    annotations: readOnly,
    input: Type.Object({ id: idMember }, { additionalProperties: false }),
    output: Type.Object({
      revision: Type.Integer({ minimum: 1, description: 'Each change of the deck adds 1.' }),
      slides: Type.Array(Type.Object({ index: count('From 0.'), title: text(), text: text() })),
    }),
    async call({ id }, { userId, signal }) {
      const deck = await slides.readSlides({ userId, id: readId(id) }, signal)
      return dataResult({
        revision: deck.revision,
        slides: deck.slides.map((slide, index) => ({
          index,
          ...describeSlide(slideView(slide, index)),
        })),
      })
    },
  })

  const editName = 'edit_slide'
  const respond = createAcceptedResponse(view)
  const editSlide = defineTool({
    name: editName,
    title: 'Change a slide',
    description:
      'Lets the model change one slide of a completed deck, as the instruction says. Files made before show the earlier deck; export_presentation makes a new one.',
    annotations: destructive,
    input: Type.Object(
      {
        id: idMember,
        index: count('Of the slide, from 0, as get_slides gives it.'),
        instruction: slideEditSchema.properties.instruction,
        idempotency_key: keyMember,
      },
      { additionalProperties: false },
    ),
    output: presentationResultSchema,
    async call({ id, index, instruction, idempotency_key }, call) {
      const own = { userId: call.userId, id: readId(id) }
      const request = { id: own.id, index, instruction }
      const idempotency = readToolKey(editName, idempotency_key, request)
      const started = await startEdit(
        { own, ifMatch: undefined, signal: call.signal, index, instruction, makesFile: false },
        { idempotency, respond },
      )
      const readNow = async () => view(await waitForRun(own.id, 0, call))
      return startedResult(started, readNow, 'This idempotency_key started this change before.')
    },
  })
  return [getSlides, editSlide]
}
