// The template lists of all versions, checked on receipt and brought into one form.

import { type Static, type TSchema, Type } from 'typebox'
import { Check } from 'typebox/value'
import { unexpectedResponse } from './failures.ts'

export interface Template {
  id: string
  name: string
  description: string
  /** 0 if upstream does not say. */
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

function checkResponse<T extends TSchema>(schema: T, value: unknown): Static<T> {
  if (!Check(schema, value)) throw unexpectedResponse('the template list has an unexpected shape')
  return value
}

export function parseTemplatePage(value: unknown): { items: Template[]; total: number } {
  const { items, total } = checkResponse(Page, value)
  return {
    items: items.map((item) => toTemplate(item.id, item.name, item.description, item.layout_count)),
    total,
  }
}

export function parseTemplateList(value: unknown): Template[] {
  return checkResponse(List, value).map((item) =>
    toTemplate(item.id, item.name, item.description, item.total_layouts),
  )
}

export function parseTemplateGroups(value: unknown): Template[] {
  return checkResponse(Groups, value).map((group) =>
    toTemplate(
      group.templateID,
      group.templateName,
      group.settings?.description,
      group.files?.length,
    ),
  )
}

/** Adds the groups that users of upstream made, whose ids are those of their decks. */
export function mergeCustomGroups(groups: Template[], value: unknown): Template[] {
  if (!Check(CustomGroups, value)) return groups
  const custom = value.presentations.map((group) =>
    toTemplate(
      `custom-${group.presentation_id}`,
      group.template?.name ?? 'Custom',
      group.template?.description,
      group.layout_count,
    ),
  )
  return [...groups, ...custom]
}

function toTemplate(
  id: string,
  name?: string | null,
  description?: string | null,
  count?: number | null,
): Template {
  return { id, name: name || id, description: description ?? '', layout_count: count ?? 0 }
}

/** The groups of 0.7.3, which cannot list them itself. */
export const builtInGroups: Template[] = ['', 'neo-'].flatMap((family) =>
  ['general', 'modern', 'standard', 'swift'].map((name) =>
    toTemplate(family + name, toTitle(family) + toTitle(name)),
  ),
)

function toTitle(id: string): string {
  return id.charAt(0).toUpperCase() + id.slice(1).replace('-', ' ')
}
