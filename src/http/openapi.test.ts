// The OpenAPI description: valid references, all routes and problems, and pages for browsers.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { problemCodes, problems } from '../contract/problem.ts'

interface ResponseDescription {
  description: string
  content?: Record<string, { schema: unknown }>
}
interface Operation {
  operationId: string
  summary: string
  tags: string[]
  security?: unknown[]
  parameters?: { name: string; in: string; required?: boolean; schema: unknown }[]
  requestBody?: {
    required?: boolean
    content: Record<string, { schema: { properties: Record<string, unknown> } }>
  }
  responses: Record<string, ResponseDescription>
}
interface Description {
  openapi: string
  info: { title: string; version: string }
  servers: { url: string }[]
  tags: { name: string }[]
  paths: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, { required: string[]; properties: Record<string, unknown> }>
    securitySchemes: Record<string, unknown>
  }
}

let server: TestServer
let description: Description
let operations: { method: string; path: string; operation: Operation }[]

beforeAll(async () => {
  server = await openTestServer({ env: { PUBLIC_URL: 'https://decks.example' } })
  description = (await (await fetch(`${server.url}/openapi.json`)).json()) as Description
  operations = Object.entries(description.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ method, path, operation })),
  )
})
afterAll(() => server.close())

test('is OpenAPI 3.1 and has the public URL', () => {
  expect(description.openapi).toBe('3.1.0')
  expect(description.info).toMatchObject({ title: 'presenton-gateway', version: '1.2.3' })
  expect(description.servers).toEqual([{ url: 'https://decks.example' }])
})

test('resolves every reference', () => {
  const references = [...JSON.stringify(description).matchAll(/"\$ref":"([^"]*)"/g)].map(
    ([, reference]) => reference,
  )
  expect(references.length).toBeGreaterThan(20)
  for (const reference of new Set(references)) {
    const [, name = ''] = /^#\/components\/schemas\/(\w+)$/.exec(reference ?? '') ?? []
    expect(description.components.schemas[name], reference).toBeDefined()
  }
})

/** The routes of the server, parsed from the printed tree: `│   └── /:id (GET, HEAD)`. */
function registeredRoutes(): string[] {
  const parents: string[] = []
  return server.app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', segment = '', methods = ''] =
        /^([│ ]*)[├└]── (\S+) \(([^)]*)\)$/.exec(line) ?? []
      const depth = indent.length / 4
      const path = `${parents[depth - 1] ?? ''}${segment}`
      parents[depth] = path
      return methods.split(', ').map((method) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
    })
}

test('contains every route and no other', () => {
  const described = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`)
  // HEAD routes and the pages of /docs are left out, and /mcp, which describes itself (tools/list).
  const registered = registeredRoutes().filter((route) =>
    /^(GET|POST|PUT|PATCH|DELETE) (?!\/docs|\/mcp$)/.test(route),
  )
  // The router prints no full path of wildcard routes.
  const wildcards = ['images', 'templates', 'fonts'].map((name) => `GET /app_data/${name}/{path}`)
  wildcards.push('GET /static/{path}')
  expect(described.sort()).toEqual(
    [...registered.filter((route) => route !== 'GET *'), ...wildcards].sort(),
  )
  expect(described).toContain('GET /api/v1/presentations/{id}/events')
})

test('gives every operation a unique id, a summary, a known tag and its path parameters', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
  const tags = description.tags.map(({ name }) => name)
  for (const { path, operation } of operations) {
    expect(operation.summary.length, path).toBeGreaterThan(5)
    expect(tags).toContain(operation.tags[0])
    const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
    const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path')
    expect(declared.map(({ name }) => name)).toEqual(inPath)
    expect(declared.every(({ required }) => required)).toBe(true)
  }
})

test('lists the successful responses and the problems of every operation', () => {
  for (const { method, path, operation } of operations) {
    const statuses = Object.keys(operation.responses)
    expect(
      statuses.some((status) => /^(101|[23])/.test(status)),
      path,
    ).toBe(true)
    expect(statuses).toEqual(expect.arrayContaining(['429', '500']))
    for (const [status, response] of Object.entries(operation.responses)) {
      const isProblem = response.content?.['application/problem+json']
      if (/^(101|[23])/.test(status))
        expect(isProblem, `${method} ${path} ${status}`).toBeUndefined()
      else if (!path.startsWith('/health') || status !== '503') {
        expect(isProblem?.schema, `${method} ${path} ${status}`).toEqual({
          $ref: '#/components/schemas/Problem',
        })
        for (const [, code] of response.description.matchAll(/`([A-Z_]+)`:/g))
          expect(problemCodes).toContain(code)
      }
    }
  }
})

test('lists credentials and the statuses 400, 401 and 503 for authenticated routes', () => {
  for (const { path, operation } of operations.filter((one) => one.path.startsWith('/api/v1'))) {
    expect(Object.keys(operation.responses), path).toEqual(
      expect.arrayContaining(['400', '401', '503']),
    )
    if (operation.operationId !== 'closeSession')
      expect(operation.security, path).toEqual([{ bearer: [] }, { session: [] }])
  }
  expect(Object.keys(description.components.securitySchemes)).toEqual(['bearer', 'session'])
})

test('describes a brief with the configured limits, and a presentation with all keys required', () => {
  const brief =
    description.paths['/api/v1/presentations']?.post?.requestBody?.content['application/json']
      ?.schema.properties ?? {}
  expect(Object.keys(brief)).toHaveLength(16)
  expect(brief.n_slides).toMatchObject({ maximum: 20 })
  const { required, properties } = description.components.schemas.Presentation ?? {
    required: [],
    properties: {},
  }
  expect([...required].sort()).toEqual(Object.keys(properties).sort())
})

test('lists both statuses of QUEUE_FULL', () => {
  const responses = description.paths['/api/v1/presentations']?.post?.responses ?? {}
  expect(responses['429']?.description).toContain(problems.QUEUE_FULL.detail)
  expect(responses['503']?.description).toContain('`QUEUE_FULL`')
})

test('the pages of /docs have a policy that allows only their own scripts', async () => {
  const page = await fetch(`${server.url}/docs`)
  expect(page.status).toBe(200)
  const policy = page.headers.get('content-security-policy') ?? ''
  expect(policy).toContain("script-src 'self'")
  expect(policy).not.toContain('upgrade-insecure-requests')
  const html = await page.text()
  // The policy would block inline scripts.
  expect(html).not.toMatch(/<script(?![^>]* src=)/)
  const sources = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, source]) => source ?? '')
  expect(sources.length).toBeGreaterThan(4)
  for (const source of sources) {
    const asset = await fetch(new URL(source, `${server.url}/docs/`))
    expect(asset.status, source).toBe(200)
    await asset.arrayBuffer()
  }
  expect(
    (await fetch(`${server.url}/health/live`)).headers.get('content-security-policy'),
  ).toContain("default-src 'none'")
})
