/**
 * A short /openapi.json that is correct in what distinguishes the shapes: the paths, the type of
 * `layout` in `prepare`, and `generation_mode` in `create`. In every version of upstream its
 * `info.version` is 0.1.0.
 */

import { json, type Reply } from '../reply.ts'
import type { Features } from '../shape.ts'
import type { Route, StandInState } from '../state.ts'

type Schema = Record<string, unknown>

export function openapiRoutes(routes: () => readonly Route[]): readonly Route[] {
  const handle = ({ features }: StandInState): Reply => json(describe(routes(), features()))
  return [{ method: 'GET', path: '/openapi.json', operation: 'openapi', handle }]
}

function describe(routes: readonly Route[], features: Features) {
  const paths: Record<string, Record<string, unknown>> = {}
  for (const { path, method, isAvailable } of routes) {
    if (!path.startsWith('/api/v1/') || (isAvailable && !isAvailable(features))) continue
    const body = bodySchemas[path]
    paths[path] = {
      ...paths[path],
      [method.toLowerCase()]: {
        operationId: `${path.replace(/\W+/g, '_').replace(/^_|_$/g, '')}_${method.toLowerCase()}`,
        ...(body
          ? {
              requestBody: {
                content: { 'application/json': { schema: ref(body) } },
                required: true,
              },
            }
          : {}),
        responses: {
          '200': {
            description: 'Successful Response',
            content: { 'application/json': { schema: {} } },
          },
        },
      },
    }
  }
  return {
    openapi: '3.1.0',
    info: { title: 'FastAPI', version: '0.1.0' },
    paths,
    components: { schemas: schemas(features) },
  }
}

const createBody = 'Body_create_presentation_api_v1_ppt_presentation_create_post'
const prepareBody = 'Body_prepare_presentation_api_v1_ppt_presentation_prepare_post'
const bodySchemas: Readonly<Record<string, string>> = {
  '/api/v1/ppt/presentation/create': createBody,
  '/api/v1/ppt/presentation/prepare': prepareBody,
}

function schemas(features: Features): Record<string, Schema> {
  const text = (title: string) => ({ type: 'string', title })
  const outlines = { items: ref('SlideOutlineModel'), type: 'array', title: 'Outlines' }
  const prepare = { presentation_id: { ...text('Presentation Id'), format: 'uuid' }, outlines }
  const layout = features.layout === 'id' ? text('Layout') : ref('PresentationLayoutModel')
  const mode = features.hasGenerationMode
    ? { generation_mode: { enum: ['standard', 'smart'], type: 'string', default: 'standard' } }
    : {}
  const number = features.hasSlideAssets
    ? { anyOf: [{ type: 'integer' }, { type: 'null' }] }
    : { type: 'integer' }
  const create = {
    content: text('Content'),
    n_slides: { ...number, title: 'N Slides' },
    language: features.hasSlideAssets
      ? { anyOf: [{ type: 'string' }, { type: 'null' }], title: 'Language' }
      : text('Language'),
    tone: { ...ref('Tone'), default: 'default' },
    verbosity: { ...ref('Verbosity'), default: 'standard' },
    ...mode,
  }
  const optional = { anyOf: [{ type: 'string' }, { type: 'null' }], title: 'Title' }
  return {
    [createBody]: object(
      create,
      features.hasSlideAssets ? ['content'] : ['content', 'n_slides', 'language'],
    ),
    [prepareBody]: object({ ...prepare, layout, title: optional }, [
      'presentation_id',
      'outlines',
      'layout',
    ]),
    SlideOutlineModel: object({ content: text('Content') }, ['content']),
    ...(features.layout === 'object' ? { PresentationLayoutModel: layoutModel } : {}),
    Tone: {
      type: 'string',
      enum: ['default', 'casual', 'professional', 'funny', 'educational', 'sales_pitch'],
      title: 'Tone',
    },
    Verbosity: { type: 'string', enum: ['concise', 'standard', 'text-heavy'], title: 'Verbosity' },
  }
}

const layoutModel = object(
  {
    name: { type: 'string', title: 'Name' },
    ordered: { type: 'boolean', title: 'Ordered', default: false },
    slides: { items: { type: 'object' }, type: 'array', title: 'Slides' },
  },
  ['name', 'slides'],
)

function object(properties: Schema, required: string[]): Schema {
  return { properties, type: 'object', required }
}

function ref(name: string): Schema {
  return { $ref: `#/components/schemas/${name}` }
}
