// The bodies that change slides.

import Type, { type Static } from 'typebox'
import { textSchema } from './brief.ts'

/** In bytes of its JSON. */
export const maxMemberBytes = 256 * 1024
const maxNoteChars = 10_000
const maxInstructionChars = 4_000

const member = (description: string) =>
  Type.Optional(
    Type.Unsafe<Record<string, unknown>>({
      type: 'object',
      description: `${description} At most 256 KiB.`,
    }),
  )

/** The body of `PATCH …/slides/{index}`: at least one member. */
export const slideChangeSchema = Type.Object(
  {
    content: member('The values of the layout, which replace the present ones.'),
    ui: member('What is drawn. Needed with `content` where slides are drawn from it.'),
    speaker_note: Type.Optional(textSchema(maxNoteChars)),
  },
  {
    additionalProperties: false,
    minProperties: 1,
    examples: [{ speaker_note: 'Demand doubled.' }],
  },
)
export type SlideChange = Static<typeof slideChangeSchema>

export const addedSlideSchema = Type.Object(
  {
    after: Type.Integer({ description: 'The slide before the new one; -1 for the first place.' }),
    copy_of: Type.Optional(Type.Integer({ description: 'Default: a blank slide.' })),
  },
  { additionalProperties: false, examples: [{ after: 0, copy_of: 0 }] },
)
export type AddedSlide = Static<typeof addedSlideSchema>

/** `order[i]` is the present index of the slide that will be at `i`. */
export const slideOrderSchema = Type.Object(
  { order: Type.Array(Type.Integer(), { maxItems: 1_000 }) },
  { additionalProperties: false, examples: [{ order: [1, 0, 2] }] },
)

export const slideEditSchema = Type.Object(
  {
    instruction: textSchema(maxInstructionChars, {
      minLength: 1,
      description: 'What the model should change.',
    }),
    export: Type.Optional(
      Type.Boolean({ default: false, description: 'Make a fresh file afterwards.' }),
    ),
  },
  {
    additionalProperties: false,
    examples: [{ instruction: 'Make this slide shorter.', export: true }],
  },
)
