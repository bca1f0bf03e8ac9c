// What the API says of the slide maker.

import Type from 'typebox'
import { count, text, time } from './member-schemas.ts'

const maxUrlChars = 2_000

export const makerRequestSchema = Type.Object(
  {
    return_to: Type.Optional(
      Type.String({
        maxLength: maxUrlChars,
        default: '/dashboard',
        description: '`/dashboard`, `/upload`, `/open/{id}` or `/presentation?id=`.',
      }),
    ),
  },
  { additionalProperties: false, examples: [{ return_to: '/dashboard' }] },
)

export const makerLinkSchema = Type.Object({
  url: text('It works once.'),
  expires_in: Type.Integer({ minimum: 1, description: 'Lifetime in seconds.' }),
})

export const makerRenewalSchema = Type.Object({
  expires_at: time('When the last of them ends.'),
  sessions: count('How many are live.'),
})
