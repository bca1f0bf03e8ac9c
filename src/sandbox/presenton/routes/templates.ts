/**
 * Templates. A serves them through Next.js, with a list that is broken in 0.7.3; T has one list, B
 * has pages.
 */

import {
  oldGroups,
  type Template,
  templateLayout,
  templateOf,
  templates,
} from '../content/templates.ts'
import { errorDetail, json, nextJsJson, type Reply, validationFailed } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Exchange, Route, StandInState } from '../state.ts'

const isThroughNextJs = ({ templates }: Features) => templates === 'next'
const isOwnRoute = ({ templates }: Features) => templates !== 'next'

export const templateRoutes: readonly Route[] = [
  { method: 'GET', path: '/api/templates', operation: 'templates', handle: listThroughNextJs },
  { method: 'GET', path: '/api/template', operation: 'template', handle: readThroughNextJs },
  {
    method: 'GET',
    path: '/api/v1/ppt/template-management/summary',
    operation: 'templates',
    isAvailable: isThroughNextJs,
    handle: summarizeTemplates,
  },
  {
    method: 'GET',
    path: '/api/v1/ppt/template/all',
    operation: 'templates',
    isAvailable: isOwnRoute,
    handle: listTemplates,
  },
  {
    method: 'GET',
    path: '/api/v1/ppt/template/{id}',
    operation: 'template',
    isAvailable: isOwnRoute,
    handle: readTemplate,
  },
]

const createdAt = '2026-11-21T03:51:59.534173'

function listThroughNextJs({ features }: StandInState): Reply {
  return isThroughNextJs(features())
    ? nextJsJson({ error: 'Failed to read presentation-templates directory' }, 500)
    : nextJsJson([])
}

function readThroughNextJs({ features }: StandInState, { url }: Exchange): Reply {
  const group = url.searchParams.get('group')
  if (isOwnRoute(features())) return nextJsJson({ error: `Unknown template group: ${group}` }, 404)
  if (!group) return nextJsJson({ error: 'Missing group name' }, 400)
  return oldGroups.includes(group)
    ? nextJsJson(templateLayout({ id: group }))
    : nextJsJson({ error: 'Failed to fetch or parse client page' }, 500)
}

function summarizeTemplates(): Reply {
  const message = 'Retrieved 0 presentation(s) with 0 total layout(s)'
  return json({
    success: true,
    presentations: [],
    total_presentations: 0,
    total_layouts: 0,
    message,
  })
}

function listTemplates({ features }: StandInState, { url }: Exchange): Reply {
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
    return validationFailed([
      { type: 'less_than_equal', loc: ['query', 'page_size'], msg, input: size, ctx: { le: 100 } },
    ])
  }
  const shown = url.searchParams.get('default') === 'false' ? [] : templates
  return json({
    items: shown.slice((page - 1) * page_size, page * page_size).map(rowOf),
    total: shown.length,
    page,
    page_size,
  })
}

function readTemplate({ features }: StandInState, { params }: Exchange): Reply {
  const { id = '' } = params
  if (features().templates === 'list') {
    return oldGroups.includes(id)
      ? json(templateLayout({ id }))
      : errorDetail(404, 'Template not found')
  }
  const template = templateOf(id)
  if (!template) return errorDetail(404, 'Template not found')
  const layouts = {
    layouts: templateLayout(template).slides.map(({ id: name, description }) => ({
      id: name,
      description,
      components: [],
    })),
  }
  return json({ ...rowOf(template), merged_components: { components: [] }, layouts, fonts: {} })
}

function rowOf({ id, name, description, layoutCount }: Template) {
  const thumbnail = `/app_data/templates/${id}/static/thumbnail.png`
  return {
    id,
    name,
    description,
    layout_count: layoutCount,
    thumbnail,
    is_default: true,
    created_at: createdAt,
    updated_at: createdAt,
  }
}
