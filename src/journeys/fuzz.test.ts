// The fuzzer sends valid, nearly valid and invalid requests to every route of /openapi.json. Each
// response must be described there, match its schema, and not be a 5xx.

import fc from 'fast-check'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectDescribed } from './described-responses.ts'
import { type FuzzedRequest, fuzzRequests } from './fuzzed-requests.ts'
import { listRoutes, type OpenApiDocument, type Route, readOpenApi } from './openapi-routes.ts'
import { expectSecurityHeaders } from './response-checks.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

/** A failure prints the counterexample. Another seed tries other requests. */
const seed = Number(process.env['FUZZ_SEED'] ?? 20261120)
const requestsPerRoute = Number(process.env['FUZZ_RUNS'] ?? 36)

let world: World
let user: User
let openApi: OpenApiDocument
let routes: Route[]
let sentCount = 0

beforeAll(async () => {
  world = await openWorld({
    env: {
      WORKER: 'false',
      MAX_QUEUED_PER_USER: '100000',
      MAX_QUEUED: '100000',
      MAX_STREAMS_PER_USER: '10000',
    },
  })
  user = await world.createUser()
  openApi = await readOpenApi(world.url)
  routes = listRoutes(openApi)
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** A valid `wait` holds the request open. The fuzzer aborts it early; another test covers it. */
const waitTimeoutMs = 300
const timeoutMs = 60_000

/** Undefined after a timeout. */
async function send({ path, ...init }: FuzzedRequest) {
  const controller = new AbortController()
  const limitMs = /[?&]wait=/.test(path) ? waitTimeoutMs : timeoutMs
  const timer = setTimeout(() => controller.abort(), limitMs)
  try {
    const response = await fetch(`${world.url}${path}`, {
      ...init,
      redirect: 'manual',
      signal: controller.signal,
    })
    const { headers } = response
    const type = headers.get('content-type') ?? ''
    const text = type.startsWith('text/event-stream') ? undefined : await response.text()
    return { status: response.status, headers, text }
  } catch (error) {
    if (controller.signal.aborted) return undefined
    throw error
  } finally {
    clearTimeout(timer)
    controller.abort()
  }
}

async function check(route: Route, request: FuzzedRequest) {
  const response = await send(request)
  sentCount += 1
  if (!response) return expect(request.path, 'only a wait may time out').toMatch(/[?&]wait=/)
  const what = `${response.status} ${response.text?.slice(0, 300)}`
  expect(response.status, what).toBeLessThan(500)
  expect(Object.keys(route.responses), what).toContain(String(response.status))
  expectSecurityHeaders(Object.fromEntries(response.headers), what)
  const path = request.path.replace(/[?#].*$/s, '')
  expectDescribed(openApi, { method: route.method, path }, response)
  if (response.status >= 400)
    expect(JSON.parse(response.text ?? '')).toMatchObject({
      status: response.status,
      request_id: response.headers.get('x-request-id'),
    })
}

test('every route returns only documented responses', {
  timeout: 300_000,
}, async () => {
  const ids: string[] = []
  for (let i = 0; i < 6; i++) ids.push((await user.submit()).id)
  for (const id of ids.slice(0, 2))
    await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  // Deletes come last, so that the other routes still find presentations.
  const orderedRoutes = routes.sort(
    (a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'),
  )
  const failures: string[] = []
  for (const route of orderedRoutes) {
    const property = fc.asyncProperty(
      fc.array(fuzzRequests(route, { token: user.token, ids }), { minLength: 6, maxLength: 6 }),
      // Concurrent, which also tests races between them.
      async (requests) =>
        void (await Promise.all(requests.map((request) => check(route, request)))),
    )
    const options = {
      seed,
      numRuns: Math.ceil(requestsPerRoute / 6),
      interruptAfterTimeLimit: 60_000,
    }
    const result = await fc.check(property, options)
    if (result.failed)
      failures.push(
        `${route.method} ${route.path}: ${result.errorInstance} for ${JSON.stringify(result.counterexample).slice(0, 2_000)}`,
      )
  }
  expect(failures).toEqual([])
  expect(sentCount).toBeGreaterThanOrEqual(routes.length * requestsPerRoute)
})

test('after the fuzzing the gateway is healthy and has logged no errors', async () => {
  expect((await fetch(`${world.url}/health`)).status).toBe(200)
  const errors = world.gateways
    .flatMap(({ logs }) => logs)
    .filter((line) => /"level":"(error|fatal)"/.test(line))
  expect(errors).toEqual([])
})
