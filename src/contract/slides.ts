// The slides of a finished deck, and how they are changed.

import Type, { type Static } from 'typebox'
import { count, nullable, text } from './member-schemas.ts'

const anyObject = (description: string) =>
  Type.Unsafe<Record<string, unknown>>({ type: 'object', description })

export const slideSchema = Type.Object(
  {
    index: count('From 0. It addresses the slide, together with the revision.'),
    id: text("The generator's id, which changes with edits."),
    layout: nullable(text()),
    layout_group: nullable(text('The template of the layout.')),
    content: anyObject('The values of the layout.'),
    speaker_note: nullable(text()),
    ui: Type.Optional(
      anyObject('What is drawn. Absent where slides are drawn from their content.'),
    ),
  },
  { title: 'Slide' },
)
export type SlideView = Static<typeof slideSchema>

export const slidesSchema = Type.Object(
  {
    revision: Type.Integer({ minimum: 1, description: 'Each real change adds 1.' }),
    slides: Type.Array(slideSchema),
  },
  { title: 'Slides' },
)
export type SlidesResponse = Static<typeof slidesSchema>

export const slideExample: SlideView = {
  index: 0,
  id: '5c1d3d0e-6f0a-4b7e-8a53-7b0c5b0e5f0a',
  layout: 'general:basic-info-slide',
  layout_group: 'general',
  content: { title: 'Why now' },
  speaker_note: 'Demand doubled.',
}

export const slidesExample: SlidesResponse = { revision: 3, slides: [slideExample] }
