// The templates that a brief may name.

import Type from 'typebox'

const templateSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    layout_count: Type.Integer({ minimum: 0 }),
  },
  { title: 'Template' },
)

export const templatesSchema = Type.Array(templateSchema)
