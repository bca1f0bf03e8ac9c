// What the OpenAPI document adds to the routes' schemas: examples, headers, links, and patterns
// that other tools read.

import { Compile } from 'typebox/schema'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { eventKinds } from '../contract/event-kinds.ts'
import { problems } from '../contract/problem.ts'

interface Media {
  schema: Record<string, unknown>
  example?: unknown
  examples?: Record<string, { value: unknown }>
}
interface Header {
  description: string
  required?: boolean
  schema: { type: string }
}
interface Link {
  operationId: string
  parameters: Record<string, string>
}
interface Response {
  description: string
  headers: Record<string, Header>
  content?: Record<string, Media>
  links?: Record<string, Link>
}
interface Operation {
  operationId: string
  parameters?: { name: string; in: string; schema: Record<string, unknown> }[]
  requestBody?: { required: boolean; content: Record<string, Media> }
  responses: Record<string, Response>
}

let server: TestServer
let components: { schemas: Record<string, object>; responses: Record<string, Response> }
let operations: Map<string, Operation>
let text: string

beforeAll(async () => {
  server = await openTestServer()
  text = await (await fetch(`${server.url}/openapi.json`)).text()
  const document = JSON.parse(text) as {
    paths: Record<string, Record<string, Operation>>
    components: typeof components
  }
  components = document.components
  operations = new Map(
    Object.values(document.paths)
      .flatMap((methods) => Object.values(methods))
      .map((operation) => [operation.operationId, operation]),
  )
})
afterAll(() => server.close())

function operation(id: string): Operation {
  const found = operations.get(id)
  if (!found) throw new Error(`there is no operation ${id}`)
  return found
}

const responses = () =>
  [...operations.values()].flatMap(({ operationId, responses: byStatus }) =>
    Object.entries(byStatus).map(([status, response]) => ({ operationId, status, response })),
  )

test('every body of a request and every 2xx JSON response has examples, which match their schema', () => {
  const bodies = [...operations.values()].flatMap(({ operationId, requestBody }) =>
    Object.values(requestBody?.content ?? {}).map((media) => ({ what: operationId, media })),
  )
  const successes = responses().flatMap(({ operationId, status, response }) =>
    Object.entries(response.content ?? {})
      .filter(([type]) => status < '300' && /json|event-stream/.test(type))
      .map(([, media]) => ({ what: `${operationId} ${status}`, media })),
  )
  expect(bodies).toHaveLength(15)
  expect(successes.length).toBeGreaterThan(15)
  for (const { what, media } of [...bodies, ...successes]) {
    const named = Object.values(media.examples ?? {}).map(({ value }) => value)
    const examples = media.example === undefined ? named : [media.example]
    expect(examples.length, what).toBeGreaterThan(0)
    const validator = Compile({ ...media.schema, components } as object)
    for (const example of examples)
      expect(validator.Errors(example)[1], `${what}: ${JSON.stringify(example)}`).toEqual([])
  }
})

test('a streamed event holds one of the union of event kinds, with an example of each', () => {
  const stream = operation('followEvents').responses['200']?.content?.['text/event-stream']
  expect(stream?.schema).toMatchObject({
    properties: { data: { contentSchema: { $ref: '#/components/schemas/Event' } } },
  })
  const validator = Compile({ ...components.schemas.Event, components } as object)
  const examples = Object.entries(stream?.examples ?? {})
  expect(examples.map(([kind]) => kind)).toEqual(Object.keys(eventKinds))
  for (const [kind, { value }] of examples) {
    const event = JSON.parse((value as { data: string }).data) as object
    expect(event).toMatchObject({ type: kind })
    expect(validator.Errors(event)[1], kind).toEqual([])
  }
})

test('every example of a brief is accepted', async () => {
  const media = operation('createPresentation').requestBody?.content['application/json']
  const examples = Object.values(media?.examples ?? {})
  expect(examples).toHaveLength(2)
  for (const { value } of examples)
    expect((await server.post('/api/v1/presentations', value)).status).toBe(202)
})

test('no pattern needs what engines beside ECMA-262 lack', () => {
  const patterns = [...text.matchAll(/"pattern":("(?:[^"\\]|\\.)*")/g)].map(
    ([, literal = '']) => JSON.parse(literal) as string,
  )
  expect(patterns.length).toBeGreaterThan(10)
  for (const pattern of new Set(patterns)) {
    // Surrogates; categories, named groups, look-behinds; classes that differ between engines.
    expect(pattern).not.toMatch(/\\u\{?d[89a-f]|\\p|\(\?[<P]|\\[dwsbDWSB]|[\ud800-\udfff]/i)
    expect(new RegExp(pattern).source, pattern).toBe(new RegExp(pattern, 'u').source)
  }
})

test('bodies are required, except where no body counts as an empty one', () => {
  const optional = [...operations.values()]
    .filter(({ requestBody }) => requestBody?.required === false)
    .map(({ operationId }) => operationId)
  expect(optional.sort()).toEqual(['approveOutlines', 'openMaker', 'retryPresentation'])
  expect(operation('createPresentation').requestBody?.required).toBe(true)
})

test.each<[operationId: string, status: string, headers: string[]]>([
  ['createPresentation', '202', ['Location', 'Idempotency-Replayed', 'RateLimit-Remaining']],
  ['retryPresentation', '202', ['Location', 'Idempotency-Replayed']],
  ['exportPresentation', '202', ['Location', 'Idempotency-Replayed']],
  ['createPresentation', '409', ['Retry-After']],
  ['downloadPresentation', '302', ['Location', 'Vary', 'Cache-Control']],
  ['openSession', '204', ['Set-Cookie']],
  ['closeSession', '204', ['Set-Cookie']],
  ['followEvents', '200', ['X-Accel-Buffering', 'Cache-Control']],
  ['readImage', '200', ['Cache-Control', 'Vary']],
  ['readHealth', '503', ['Retry-After']],
])('%s %s has the headers %j', (operationId, status, headers) => {
  const described = operation(operationId).responses[status]?.headers ?? {}
  expect(Object.keys(described)).toEqual(expect.arrayContaining(headers))
})

test('the headers that follow from a status are on every response with it', () => {
  for (const { operationId, status, response } of responses()) {
    const what = `${operationId} ${status}`
    for (const [name, { description, schema }] of Object.entries(response.headers)) {
      expect(description, `${what} ${name}`).toMatch(/\.$/)
      expect(schema.type, `${what} ${name}`).toMatch(/^(string|integer)$/)
    }
    expect(response.headers, what).toHaveProperty('X-Request-Id')
    const isLimited = !/^read(Health|Liveness|Readiness|Metrics)$/.test(operationId)
    expect('RateLimit-Limit' in response.headers, what).toBe(isLimited)
    expect(response.headers['Retry-After']?.required ?? false, what).toBe(/429|503/.test(status))
    expect('WWW-Authenticate' in response.headers, what).toBe(status === '401')
  }
})

test('a method or a path of no operation is a component', () => {
  const { MethodNotAllowed, NotFound } = components.responses
  expect(MethodNotAllowed?.headers.Allow).toMatchObject({ required: true })
  expect(NotFound?.description).toContain(problems.NOT_FOUND.detail)
})

const idOperations = [
  ...['readPresentation', 'renamePresentation', 'removePresentation', 'cancelPresentation'],
  ...['retryPresentation', 'readOutlines', 'approveOutlines', 'downloadPresentation'],
  ...[
    'readSlides',
    'addSlide',
    'reorderSlides',
    'exportPresentation',
    'followEvents',
    'issueTicket',
    'openInMaker',
  ],
]

test('every response with a presentation links to every operation on it', () => {
  const withId = ['createPresentation', 'readPresentation', 'renamePresentation']
  withId.push('cancelPresentation', 'retryPresentation', 'approveOutlines', 'exportPresentation')
  for (const id of withId) {
    const success = Object.entries(operation(id).responses).find(([status]) => status < '300')
    const links = Object.values(success?.[1].links ?? {})
    expect(links.map(({ operationId }) => operationId).sort(), id).toEqual(idOperations.toSorted())
    for (const { parameters } of links) expect(parameters).toEqual({ id: '$response.body#/id' })
  }
  expect(operation('listPresentations').responses['200']?.links).toMatchObject({
    nextPage: { parameters: { cursor: '$response.body#/next_cursor' } },
  })
  expect(operation('issueTicket').responses['200']?.links).toMatchObject({
    followEventsWithTicket: { operationId: 'followEvents' },
  })
})

test('every link names an operation and parameters that it has', () => {
  for (const { operationId, response } of responses()) {
    for (const [name, link] of Object.entries(response.links ?? {})) {
      const declared = operation(link.operationId).parameters?.map((parameter) => parameter.name)
      expect(declared, `${operationId}: ${name}`).toEqual(
        expect.arrayContaining(Object.keys(link.parameters)),
      )
    }
  }
})

test.each([
  ['createPresentation', 'UPSTREAM_UNAVAILABLE'],
  ['downloadPresentation', 'STORAGE_UNAVAILABLE'],
])('%s does not list %s, which it never returns', (operationId, code) => {
  expect(JSON.stringify(operation(operationId).responses)).not.toContain(`\`${code}\``)
})

test('every operation lists what the parser of requests may return', () => {
  for (const { operationId, responses: byStatus } of operations.values())
    expect(Object.keys(byStatus), operationId).toEqual(
      expect.arrayContaining(['400', '408', '429', '431', '500']),
    )
})
