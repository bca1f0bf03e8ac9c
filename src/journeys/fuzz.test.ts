// The fuzzer: reads the gateway's own description, asks every route in it in ways good, nearly good
// and bad, and holds the answers against the same description. No failure of the gateway, no status
// that is not described, no body that breaks its schema.

import fc from 'fast-check'
import { Compile } from 'typebox/schema'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type Fuzzed, requestsOf } from './fuzzed-requests.ts'
import { listRoutes, type OpenApiDocument, type Route, readOpenApi } from './openapi-routes.ts'
import { expectSecurityHeaders } from './response-checks.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

/** Another one on the command line finds other things; a failure prints what it was. */
const seed = Number(process.env['FUZZ_SEED'] ?? 20261120)
const runsOfEach = Number(process.env['FUZZ_RUNS'] ?? 36)

let world: World
let user: User
let description: OpenApiDocument
let routes: Route[]
let asked = 0

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
  description = await readOpenApi(world.url)
  routes = listRoutes(description)
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** A `wait` that is good takes as long as it says: what is answered then is another test's. */
const waitMs = 300
const patienceMs = 10_000

async function send({ path, ...init }: Fuzzed) {
  const leave = new AbortController()
  const timer = setTimeout(() => leave.abort(), /[?&]wait=/.test(path) ? waitMs : patienceMs)
  try {
    const answer = await fetch(`${world.url}${path}`, {
      ...init,
      redirect: 'manual',
      signal: leave.signal,
    })
    const headers = Object.fromEntries(answer.headers)
    const type = headers['content-type'] ?? ''
    const text = type.startsWith('text/event-stream') ? undefined : await answer.text()
    return { status: answer.status, headers, type: type.replace(/;.*/s, ''), text }
  } catch (error) {
    if (leave.signal.aborted) return undefined
    throw error
  } finally {
    clearTimeout(timer)
    leave.abort()
  }
}

const validators = new Map<object, ReturnType<typeof Compile>>()
function errorsOf(schema: object, value: unknown): unknown[] {
  let validator = validators.get(schema)
  if (!validator) {
    // References lead to where they lead in the whole document.
    validator = Compile({ ...schema, components: description.components })
    validators.set(schema, validator)
  }
  return validator.Check(value) ? [] : validator.Errors(value)[1].slice(0, 3)
}

async function check(route: Route, request: Fuzzed) {
  const answer = await send(request)
  asked += 1
  if (!answer) return expect(request.path, 'only a wait takes so long').toMatch(/[?&]wait=/)
  const what = `${answer.status} ${answer.text?.slice(0, 300)}`
  expect(answer.status, what).toBeLessThan(500)
  const described = route.responses[answer.status]
  expect(
    described,
    `described are ${Object.keys(route.responses)}, answered was ${what}`,
  ).toBeDefined()
  expectSecurityHeaders(answer.headers, what)
  if (answer.text === undefined)
    return expect(described?.content).toHaveProperty(['text/event-stream'])
  if (!described?.content) return expect(answer.text, what).toBe('')
  const schema = (
    described.content[answer.type] ?? described.content[answer.type.replace(/\/.*/s, '/*')]
  )?.schema
  if (answer.text === '' && answer.status < 400) return
  expect(schema, `${answer.type} is not described for ${what}`).toBeDefined()
  const value = answer.type.includes('json') ? JSON.parse(answer.text) : answer.text
  expect(errorsOf(schema ?? {}, value), what).toEqual([])
  if (answer.status >= 400)
    expect(value).toMatchObject({
      status: answer.status,
      request_id: answer.headers['x-request-id'],
    })
}

test('whatever is asked of any route, it is answered as the description says', {
  timeout: 60_000,
}, async () => {
  const ids: string[] = []
  for (let i = 0; i < 6; i++) ids.push((await user.submit()).id)
  for (const id of ids.slice(0, 2))
    await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  // What removes comes last, so that the others find something.
  const inOrder = routes.sort(
    (a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'),
  )
  const failures: string[] = []
  for (const route of inOrder) {
    const property = fc.asyncProperty(
      fc.array(requestsOf(route, { token: user.token, ids }), { minLength: 6, maxLength: 6 }),
      // At once, which also tries them against each other.
      async (requests) =>
        void (await Promise.all(requests.map((request) => check(route, request)))),
    )
    const options = { seed, numRuns: Math.ceil(runsOfEach / 6), interruptAfterTimeLimit: 15_000 }
    const found = await fc.check(property, options)
    if (found.failed)
      failures.push(
        `${route.method} ${route.path}: ${found.errorInstance} for ${JSON.stringify(found.counterexample).slice(0, 2_000)}`,
      )
  }
  expect(failures).toEqual([])
  expect(asked).toBeGreaterThanOrEqual(routes.length * runsOfEach)
})

test('the gateway is as well as before, and nothing of it was logged as its own fault', async () => {
  expect((await fetch(`${world.url}/health`)).status).toBe(200)
  const faults = world.gateways
    .flatMap(({ logs }) => logs)
    .filter((line) => /"level":"(error|fatal)"/.test(line))
  expect(faults).toEqual([])
})
