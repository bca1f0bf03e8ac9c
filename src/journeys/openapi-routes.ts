// The routes that a gateway describes in /openapi.json, with a valid request for each. A test that
// tries every route also covers routes added later.

import { randomUUID } from 'node:crypto'

export interface ResponseDescription {
  headers?: Record<string, { required?: boolean; schema: Record<string, unknown> }>
  content?: Record<string, { schema?: Record<string, unknown> }>
}

export interface Route {
  method: string
  /** With parameters in braces. */
  path: string
  operationId: string
  parameters: { name: string; in: string; schema: Record<string, unknown> }[]
  bodySchema: Record<string, unknown> | undefined
  bodyExamples: unknown[]
  responses: Record<string, ResponseDescription>
  needsAuth: boolean
}

interface JsonContent {
  schema: Record<string, unknown>
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

interface Operation {
  operationId: string
  security?: unknown[]
  parameters?: Route['parameters']
  requestBody?: { content: Record<string, JsonContent> }
  responses: Route['responses']
}

export interface OpenApiDocument {
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Record<string, unknown>>
    /** Of paths and methods that no operation describes. */
    responses: Record<string, ResponseDescription>
  }
}

export async function readOpenApi(url: string): Promise<OpenApiDocument> {
  return (await (await fetch(`${url}/openapi.json`)).json()) as OpenApiDocument
}

export function listRoutes({ paths }: OpenApiDocument): Route[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(
      ([method, { operationId, parameters = [], requestBody, responses, security = [] }]) => ({
        method: method.toUpperCase(),
        path,
        operationId,
        parameters,
        responses,
        bodySchema: requestBody?.content['application/json']?.schema,
        bodyExamples: examplesOf(requestBody?.content['application/json']),
        needsAuth: security.length > 0,
      }),
    ),
  )
}

function examplesOf({ schema, example, examples = {} }: JsonContent = { schema: {} }): unknown[] {
  const named = Object.values(examples).map(({ value }) => value)
  const ofSchema = Array.isArray(schema['examples']) ? schema['examples'] : []
  return [example, ...named, ...ofSchema].filter((value) => value !== undefined)
}

export function routesWithParameters(routes: Route[]): Route[] {
  return routes.filter(({ path }) => path.includes('{'))
}

/** The value is for the first parameter; others are places in what it names. */
export function fillPath(path: string, value: string): string {
  return path
    .replace(/\{[^}]*\}/, () => value)
    .replace(/(?<=\/)\{\w+\}(?=\/|$)/g, (name) => (value === name ? name : '0'))
}

/** A valid body: the documented example. */
export function sampleBody({ bodySchema, bodyExamples }: Route): unknown {
  return bodySchema && (bodyExamples[0] ?? {})
}

/** Ids of nothing that exists, well-formed or not. */
export const unknownIds = [
  randomUUID(),
  '00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  'no-id',
  '1',
  '-1',
  '0x1',
  '%00',
  '..%2f..',
  '%2E%2E%2Fhealth',
  "' or '1'='1",
  '%25',
  '*',
  'null',
  'undefined',
  '{id}',
  'x'.repeat(3_000),
  '__proto__',
  'constructor',
  '%F0%9F%9A%80',
  '%EF%BB%BF',
  '{"$ne":null}',
  '$(id)',
  '%0d%0aset-cookie:a=b',
]
