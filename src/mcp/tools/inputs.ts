// Input members that several tools share.

import Type from 'typebox'
import { visibleAscii } from '../../contract/text.ts'
import { parseId } from '../../domain/ids.ts'
import { Problem } from '../../domain/problem.ts'

export const idMember = Type.String({
  maxLength: 100,
  description: 'The id of a presentation, as make_presentation and list_presentations give it.',
})

/** @throws Problem NOT_FOUND for what cannot be an id, as for an unknown one */
export function readId(text: string): string {
  const id = parseId(text)
  if (id === undefined) throw new Problem('NOT_FOUND')
  return id
}

export const keyMember = Type.Optional(
  Type.String({
    pattern: visibleAscii,
    description: 'Repeat the call with the same key after a timeout: nothing is made twice.',
  }),
)

export const waitMember = Type.Optional(
  Type.Integer({
    minimum: 0,
    maximum: 300,
    default: 0,
    description:
      'Answer when the run has ended, or after this many seconds, at the latest after 45.',
  }),
)
