// The lists of templates as each version writes them, and the one form that the gateway gives.

import { type Static, type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { unexpectedShape } from './failures.ts'

export interface Template {
  id: string
  name: string
  description: string
  /** 0 where upstream does not say. */
  layout_count: number
}

const Text = Type.Optional(Type.Union([Type.String(), Type.Null()]))
const Count = Type.Optional(Type.Union([Type.Integer({ minimum: 0 }), Type.Null()]))

const Page = Type.Object({
  items: Type.Array(
    Type.Object({ id: Type.String(), name: Text, description: Text, layout_count: Count }),
  ),
  total: Type.Integer({ minimum: 0 }),
})
const List = Type.Array(
  Type.Object({ id: Type.String(), name: Text, description: Text, total_layouts: Count }),
)
const Groups = Type.Array(
  Type.Object({
    templateID: Type.String(),
    templateName: Text,
    files: Type.Optional(Type.Array(Type.Unknown())),
    settings: Type.Optional(Type.Union([Type.Object({ description: Text }), Type.Null()])),
  }),
)
const CustomGroups = Type.Object({
  presentations: Type.Array(
    Type.Object({
      presentation_id: Type.String(),
      layout_count: Count,
      template: Type.Optional(
        Type.Union([Type.Object({ name: Text, description: Text }), Type.Null()]),
      ),
    }),
  ),
})

function checked<T extends TSchema>(schema: T, value: unknown): Static<T> {
  if (!Check(schema, value)) throw unexpectedShape('the list of templates is not of its form')
  return value
}

export function parseTemplatePage(value: unknown): { items: Template[]; total: number } {
  const { items, total } = checked(Page, value)
  return {
    items: items.map((item) => template(item.id, item.name, item.description, item.layout_count)),
    total,
  }
}

export function parseTemplateList(value: unknown): Template[] {
  return checked(List, value).map((item) =>
    template(item.id, item.name, item.description, item.total_layouts),
  )
}

export function parseGroups(value: unknown): Template[] {
  return checked(Groups, value).map((group) =>
    template(
      group.templateID,
      group.templateName,
      group.settings?.description,
      group.files?.length,
    ),
  )
}

/** The groups, and after them those that users of upstream made; these are named by their deck. */
export function mergeCustom(groups: Template[], value: unknown): Template[] {
  if (!Check(CustomGroups, value)) return groups
  const custom = value.presentations.map((made) =>
    template(
      `custom-${made.presentation_id}`,
      made.template?.name ?? 'Custom',
      made.template?.description,
      made.layout_count,
    ),
  )
  return [...groups, ...custom]
}

function template(
  id: string,
  name?: string | null,
  description?: string | null,
  count?: number | null,
): Template {
  return { id, name: name || id, description: description ?? '', layout_count: count ?? 0 }
}

/** What 0.7.3 was shipped with; it cannot list them itself. */
export const builtInGroups: Template[] = ['', 'neo-'].flatMap((family) =>
  ['general', 'modern', 'standard', 'swift'].map((name) =>
    template(family + name, titled(family) + titled(name)),
  ),
)

function titled(id: string): string {
  return id.charAt(0).toUpperCase() + id.slice(1).replace('-', ' ')
}
