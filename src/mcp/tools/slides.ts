// Tools that read the slides of a finished deck, and let the model change one.

import Type from 'typebox'
import { count, text } from '../../contract/shapes.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import { slideView } from '../../presenton/slide-view.ts'
import { describeSlide } from '../slide-text.ts'
import { dataAnswer, defineTool, readOnly } from '../tool.ts'
import { idMember, readId } from './inputs.ts'

export interface SlideTools {
  slides: PresentationServices['slides']
}

export function slideTools({ slides }: SlideTools) {
  return [
    defineTool({
      name: 'get_slides',
      title: 'Read the slides',
      description: 'What the slides of a completed deck say: title and text of each.',
      annotations: readOnly,
      input: Type.Object({ id: idMember }, { additionalProperties: false }),
      output: Type.Object({
        revision: Type.Integer({ minimum: 1, description: 'Each change of the deck adds 1.' }),
        slides: Type.Array(Type.Object({ index: count('From 0.'), title: text(), text: text() })),
      }),
      async answer({ id }, { userId, signal }) {
        const deck = await slides.readSlides({ userId, id: readId(id) }, signal)
        return dataAnswer({
          revision: deck.revision,
          slides: deck.slides.map((slide, index) => ({
            index,
            ...describeSlide(slideView(slide, index)),
          })),
        })
      },
    }),
  ]
}
