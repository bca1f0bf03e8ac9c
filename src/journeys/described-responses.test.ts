// The check of responses against /openapi.json finds what is not described.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { expectDescribed } from './described-responses.ts'
import { type OpenApiDocument, readOpenApi } from './openapi-routes.ts'
import { openWorld, type World } from './world.ts'

let world: World
let document: OpenApiDocument
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false' } })
  document = await readOpenApi(world.url)
})
afterAll(() => world.close())

interface Received {
  method: string
  path: string
  status: number
  headers: Headers
  text: string
}

async function receive(path: string, method = 'GET'): Promise<Received> {
  const { token } = await world.createUser()
  const headers = { authorization: `Bearer ${token}` }
  const response = await fetch(`${world.url}${path}`, { method, headers })
  const { status } = response
  return { method, path, status, headers: response.headers, text: await response.text() }
}

const check = ({ method, path, ...response }: Received) =>
  expectDescribed(document, { method, path }, response)

test.each([
  ['/api/v1/usage', 'GET', 200],
  ['/api/v1/presentations', 'HEAD', 200],
  ['/api/v1/presentations/no-id', 'GET', 404],
  ['/static/a/b.png', 'GET', 200],
  ['/app_data/images/b.png', 'GET', 404],
  ['/api/v1/nothing', 'GET', 404],
  ['/api/v1/usage', 'DELETE', 405],
  ['/health', 'GET', 200],
  ['/metrics', 'GET', 200],
  ['/openapi.json', 'GET', 200],
])('%s %s %i is described', async (path, method, status) => {
  const received = await receive(path, method)
  expect(received.status).toBe(status)
  check(received)
})

test('finds every kind of difference', async () => {
  const usage = await receive('/api/v1/usage')
  const withHeaders = (change: (headers: Headers) => void): Received => {
    const headers = new Headers(usage.headers)
    change(headers)
    return { ...usage, headers }
  }
  const differences: [what: string, received: Received][] = [
    ['status', { ...usage, status: 201 }],
    ['path', { ...usage, path: '/api/v1/usages' }],
    ['method', { ...usage, method: 'PUT' }],
    ['further header', withHeaders((headers) => headers.set('x-powered-by', 'x'))],
    ['missing header', withHeaders((headers) => headers.delete('ratelimit-limit'))],
    ['value of a header', withHeaders((headers) => headers.set('ratelimit-limit', 'many'))],
    ['media type', withHeaders((headers) => headers.set('content-type', 'text/html'))],
    ['body', { ...usage, text: '{}' }],
  ]
  for (const [what, received] of differences) expect(() => check(received), what).toThrow()
})
