/**
 * Templates, which each shape shows elsewhere: A behind Next.js (its list is broken in 0.7.3), T as
 * a list, B in pages.
 */

import {
  oldGroups,
  type Template,
  templateLayout,
  templateOf,
  templates,
} from '../content/templates.ts'
import { detail, json, next, type Reply, unprocessable } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Exchange, Route, World } from '../world.ts'

const behindNext = ({ templates: kind }: Features) => kind === 'next'
const apart = ({ templates: kind }: Features) => kind !== 'next'

export const templateRoutes: readonly Route[] = [
  { method: 'GET', path: '/api/templates', operation: 'templates', act: listOfNext },
  { method: 'GET', path: '/api/template', operation: 'template', act: groupOfNext },
  {
    method: 'GET',
    path: '/api/v1/ppt/template-management/summary',
    operation: 'templates',
    when: behindNext,
    act: summary,
  },
  {
    method: 'GET',
    path: '/api/v1/ppt/template/all',
    operation: 'templates',
    when: apart,
    act: list,
  },
  {
    method: 'GET',
    path: '/api/v1/ppt/template/{id}',
    operation: 'template',
    when: apart,
    act: read,
  },
]

const born = '2026-11-21T03:51:59.534173'

function listOfNext({ features }: World): Reply {
  return behindNext(features())
    ? next({ error: 'Failed to read presentation-templates directory' }, 500)
    : next([])
}

function groupOfNext({ features }: World, { url }: Exchange): Reply {
  const group = url.searchParams.get('group')
  if (apart(features())) return next({ error: `Unknown template group: ${group}` }, 404)
  if (!group) return next({ error: 'Missing group name' }, 400)
  return oldGroups.includes(group)
    ? next(templateLayout({ id: group }))
    : next({ error: 'Failed to fetch or parse client page' }, 500)
}

function summary(): Reply {
  const message = 'Retrieved 0 presentation(s) with 0 total layout(s)'
  return json({
    success: true,
    presentations: [],
    total_presentations: 0,
    total_layouts: 0,
    message,
  })
}

function list({ features }: World, { url }: Exchange): Reply {
  if (features().templates === 'list') {
    const shown = url.searchParams.get('include_defaults') === 'false' ? [] : oldGroups
    return json(
      shown.map((id) => ({ id, name: id, total_layouts: templateLayout({ id }).slides.length })),
    )
  }
  const page = Number(url.searchParams.get('page') ?? 1)
  const size = url.searchParams.get('page_size') ?? '20'
  const page_size = Number(size)
  if (page_size > 100) {
    const msg = 'Input should be less than or equal to 100'
    return unprocessable([
      { type: 'less_than_equal', loc: ['query', 'page_size'], msg, input: size, ctx: { le: 100 } },
    ])
  }
  const shown = url.searchParams.get('default') === 'false' ? [] : templates
  return json({
    items: shown.slice((page - 1) * page_size, page * page_size).map(row),
    total: shown.length,
    page,
    page_size,
  })
}

function read({ features }: World, { params }: Exchange): Reply {
  const { id = '' } = params
  if (features().templates === 'list') {
    return oldGroups.includes(id) ? json(templateLayout({ id })) : detail(404, 'Template not found')
  }
  const template = templateOf(id)
  if (!template) return detail(404, 'Template not found')
  const layouts = {
    layouts: templateLayout(template).slides.map(({ id: name, description }) => ({
      id: name,
      description,
      components: [],
    })),
  }
  return json({ ...row(template), merged_components: { components: [] }, layouts, fonts: {} })
}

function row({ id, name, description, layoutCount }: Template) {
  const thumbnail = `/app_data/templates/${id}/static/thumbnail.png`
  return {
    id,
    name,
    description,
    layout_count: layoutCount,
    thumbnail,
    is_default: true,
    created_at: born,
    updated_at: born,
  }
}
