// What the connected version of the generator can do.

import Type, { type Static } from 'typebox'
import { nullable, oneOf } from './member-schemas.ts'

const unknown = 'Null while it is not known.'

export const capabilitiesSchema = Type.Object(
  {
    shape: nullable(
      oneOf(['A1', 'T', 'B1', 'B2'], `The generator's group of versions. ${unknown}`),
    ),
    edit: nullable(
      Type.Boolean({ description: `Whether its model can change single slides. ${unknown}` }),
    ),
    maker: nullable(
      Type.Boolean({ description: `Whether the generator's own editor is offered. ${unknown}` }),
    ),
    slide_content: nullable(
      oneOf(['content', 'ui'], `The member that slides are drawn from. ${unknown}`),
    ),
    sources: nullable(
      Type.Array(Type.String(), {
        description: `The content types of documents that it can read. ${unknown}`,
      }),
    ),
  },
  { title: 'Capabilities' },
)
export type CapabilitiesResponse = Static<typeof capabilitiesSchema>

export const capabilitiesExample: CapabilitiesResponse = {
  shape: 'B1',
  edit: true,
  maker: true,
  slide_content: 'ui',
  sources: ['application/pdf', 'text/plain'],
}
