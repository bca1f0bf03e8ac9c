// Holds responses against /openapi.json: status, headers, media type and body must be described.

import { Compile } from 'typebox/schema'
import { expect } from 'vitest'
import { type OpenApiDocument, type ResponseDescription, readOpenApi } from './openapi-routes.ts'
import { securityHeaders } from './response-checks.ts'

/** Headers of HTTP itself, of CORS, and those that every response has for browsers' sake. */
const generalHeaders = new Set([
  ...['connection', 'keep-alive', 'date', 'content-type', 'content-length', 'transfer-encoding'],
  ...['vary', 'strict-transport-security', ...Object.keys(securityHeaders)],
])

export interface DescribedRequest {
  method: string
  /** Without the query string. */
  path: string
}

export interface DescribedResponse {
  status: number
  headers: Headers
  /** Undefined for a stream. */
  text: string | undefined
}

let description: Promise<OpenApiDocument> | undefined

/** Read once, since all gateways of a process describe their responses alike. */
export function readDescription(url: string): Promise<OpenApiDocument> {
  description ??= readOpenApi(url).catch((error: unknown) => {
    description = undefined
    throw error
  })
  return description
}

/** Expects that the document describes the response, whole. */
export function expectDescribed(
  document: OpenApiDocument,
  { method, path }: DescribedRequest,
  { status, headers, text }: DescribedResponse,
) {
  const what = `${method} ${path} ${status} ${text?.slice(0, 300)}`
  const described = findResponse(document, method, path, status)
  expect(described, `not described: ${what}`).toBeDefined()
  if (!described) return
  expectHeaders(described.headers ?? {}, headers, what)
  if (method === 'HEAD' || status === 204 || text === '') return
  const type = (headers.get('content-type') ?? '').replace(/;.*/s, '')
  const media = described.content?.[type] ?? described.content?.[type.replace(/\/.*/s, '/*')]
  expect(media, `${type} is not described: ${what}`).toBeDefined()
  if (text === undefined || !type.includes('json')) return
  expect(schemaErrors(media?.schema ?? {}, document, JSON.parse(text)), what).toEqual([])
}

function findResponse(
  { paths, components }: OpenApiDocument,
  method: string,
  path: string,
  status: number,
): ResponseDescription | undefined {
  const matching = Object.keys(paths).filter((template) => matches(template, path))
  if (matching.length === 0) return status === 404 ? components.responses['NotFound'] : undefined
  // HEAD gets the headers of GET.
  const name = method === 'HEAD' ? 'get' : method.toLowerCase()
  const operation = matching.map((template) => paths[template]?.[name]).find(Boolean)
  if (operation) return operation.responses[status]
  return status === 405 ? components.responses['MethodNotAllowed'] : undefined
}

/** Only the last parameter of a path for images may have slashes. */
function matches(template: string, path: string): boolean {
  const pattern = template
    .replace(/[.]/g, '\\.')
    .replace(/\{path\}/, '.+')
    .replace(/\{\w+\}/g, '[^/]+')
  return new RegExp(`^${pattern}$`).test(path)
}

function expectHeaders(
  described: NonNullable<ResponseDescription['headers']>,
  received: Headers,
  what: string,
) {
  const byName = new Map(
    Object.entries(described).map(([name, header]) => [name.toLowerCase(), header]),
  )
  const unknown = [...received.keys()].filter(
    (name) => !byName.has(name) && !generalHeaders.has(name) && !name.startsWith('access-control-'),
  )
  expect(unknown, `headers that are not described: ${what}`).toEqual([])
  for (const [name, { required, schema }] of byName) {
    const value = received.get(name)
    if (required) expect(value, `${name}: ${what}`).not.toBeNull()
    if (value === null) continue
    const parsed = schema['type'] === 'integer' ? Number(value) : value
    expect(schemaErrors(schema, undefined, parsed), `${name}: ${value}: ${what}`).toEqual([])
  }
}

/** By the text of the schema. */
const validators = new Map<string, ReturnType<typeof Compile>>()

function schemaErrors(
  schema: object,
  document: Pick<OpenApiDocument, 'components'> | undefined,
  value: unknown,
): unknown[] {
  const key = JSON.stringify(schema)
  let validator = validators.get(key)
  if (!validator) {
    // `$ref` resolves against the components of the whole document.
    validator = Compile({ ...schema, components: document?.components })
    validators.set(key, validator)
  }
  return validator.Check(value) ? [] : validator.Errors(value)[1].slice(0, 3)
}
