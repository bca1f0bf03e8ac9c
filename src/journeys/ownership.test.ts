// Ownership: every described route is called without credentials, with expired ones and as another
// user. The response must not reveal whether an id exists. Also keys, cursors, links and timing.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import {
  fillPath,
  listRoutes,
  type Route,
  readOpenApi,
  routesWithParameters,
  sampleBody,
  unknownIds,
} from './openapi-routes.ts'
import { expectProblem, readResponse } from './response-checks.ts'
import { brief, type Presentation, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
let expired: string
let done: Presentation
let waiting: Presentation
let routes: Route[]

beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  ;[alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  expired = await world.sign({ sub: alice.sub, expiresInSeconds: -60 })
  done = await alice.generate({ ...brief, title: 'Only mine' })
  waiting = await alice.waitUntilSettled(
    (await alice.submit({ ...brief, review_outlines: true })).id,
  )
  // A WebSocket answers 426 first, to any caller; realtime/refusals.test.ts covers its upgrades.
  routes = listRoutes(await readOpenApi(world.url)).filter(({ responses }) => !responses[101])
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

const callers: [name: string, headers: () => Record<string, string>, status: number][] = [
  ['an anonymous caller', () => ({}), 401],
  ['an expired token', () => ({ authorization: `Bearer ${expired}` }), 401],
  [
    'an expired session',
    () => ({ cookie: `gateway_session=${expired}`, 'sec-fetch-site': 'same-origin' }),
    401,
  ],
  ["another user's token", () => ({ authorization: `Bearer ${bob.token}` }), 404],
  [
    "another user's session",
    () => ({ cookie: `gateway_session=${bob.token}`, 'sec-fetch-site': 'same-origin' }),
    404,
  ],
]

function send(route: Route, id: string, headers: Record<string, string>) {
  const { method, path } = route
  const body = sampleBody(route)
  return fetch(`${world.url}${fillPath(path, id)}`, {
    method,
    redirect: 'manual',
    headers: {
      accept: 'application/json',
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
}

/** The problem and the headers, without what identifies the request or depends on its time. */
async function comparable(response: Response, status: number, what: string) {
  const parsed = await readResponse(response)
  const { instance, request_id, ...problem } = expectProblem(parsed, status, what)
  const {
    date,
    'x-request-id': id,
    'content-length': length,
    'ratelimit-remaining': left,
    'ratelimit-reset': reset,
    ...headers
  } = parsed.headers
  return { problem, headers }
}

test.each(callers)(
  'every route with an id gives %s the same response for every id',
  async (name, headers, status) => {
    const routesWithId = routesWithParameters(routes)
    expect(routesWithId.length).toBeGreaterThan(10)
    for (const route of routesWithId) {
      const what = `${route.method} ${route.path} as ${name}`
      const first = await comparable(await send(route, done.id, headers()), status, what)
      const others = [
        waiting.id,
        done.id.toUpperCase(),
        `${done.id}%20`,
        `${done.id}.`,
        ...unknownIds,
      ]
      const responses = await Promise.all(
        others.map(async (id) =>
          comparable(await send(route, id, headers()), status, `${what}: ${id}`),
        ),
      )
      for (const [i, response] of responses.entries())
        expect(response, `${what}: ${others[i]}`).toEqual(first)
    }
  },
)

test('every route that needs credentials returns 401 without them or with expired ones', async () => {
  for (const route of routes.filter(({ needsAuth }) => needsAuth)) {
    for (const [name, headers, status] of callers.slice(0, 3)) {
      const response = await send(route, done.id, headers())
      expectProblem(
        await readResponse(response),
        status,
        `${route.method} ${route.path} as ${name}`,
      )
    }
  }
  // The public routes are for operators, for descriptions, and to end a session.
  const open = routes.filter(({ needsAuth }) => !needsAuth).map(({ path }) => path)
  expect(
    open.filter(
      (path) => !/^\/(health|metrics|openapi\.json|\.well-known\/|api\/v1\/session$)/.test(path),
    ),
  ).toEqual([])
})

test('streams, waits and downloads return 404 to another user at once', async () => {
  const own = { authorization: `Bearer ${bob.token}` }
  const requests: [path: string, headers: Record<string, string>][] = [
    ['?wait=30', {}],
    ['/events', { accept: 'text/event-stream' }],
    ['/events', { accept: 'text/event-stream', 'last-event-id': '3' }],
    ['/events?last_event_id=999999', {}],
    ['/download?format=pptx', { accept: '*/*' }],
  ]
  for (const [path, headers] of requests) {
    const startedMs = performance.now()
    const responses = await Promise.all(
      [done.id, waiting.id, randomUUID(), 'no-id'].map(async (id) => {
        const response = await fetch(`${world.url}/api/v1/presentations/${id}${path}`, {
          headers: { ...own, ...headers },
          redirect: 'manual',
        })
        return comparable(response, 404, path)
      }),
    )
    for (const response of responses) expect(response).toEqual(responses[0])
    expect(performance.now() - startedMs, 'returned at once').toBeLessThan(30_000)
  }
})

test('response times do not tell a foreign id from an unknown one', async () => {
  const headers = { authorization: `Bearer ${bob.token}` }
  const times: Record<'foreign' | 'unknown', number[]> = { foreign: [], unknown: [] }
  for (let i = 0; i < 60; i++) {
    for (const kind of i % 2
      ? (['foreign', 'unknown'] as const)
      : (['unknown', 'foreign'] as const)) {
      const id = kind === 'foreign' ? done.id : randomUUID()
      const startedMs = performance.now()
      await (await fetch(`${world.url}/api/v1/presentations/${id}`, { headers })).arrayBuffer()
      times[kind].push(performance.now() - startedMs)
    }
  }
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1] ?? 0
  const [foreign, unknown] = [median(times.foreign), median(times.unknown)]
  // A second query for one of the two kinds would exceed this factor; noise of the host does not.
  expect(Math.max(foreign, unknown) / Math.min(foreign, unknown)).toBeLessThan(2.5)
})

test("a user's Idempotency-Key has no meaning for other users", async () => {
  const headers = { 'idempotency-key': randomUUID() }
  const ofAlice = await alice.submit(brief, headers)
  const ofBob = await bob.post(brief, headers)
  expect(ofBob).toMatchObject({
    status: 202,
    body: { id: expect.not.stringContaining(ofAlice.id) },
  })
  expect(ofBob.headers.get('idempotency-replayed')).toBeNull()
  // For the owner another body would be a reuse of the key. For other users it is a new request.
  const carol = await world.createUser('carol')
  expect(await carol.post({ ...brief, n_slides: 4 }, headers)).toMatchObject({ status: 202 })
  const onForeign = await bob.api(`/presentations/${done.id}/exports`, {
    method: 'POST',
    body: { format: 'pdf' },
    headers: { 'idempotency-key': 'a' },
  })
  expect(onForeign).toMatchObject({ status: 404 })
  for (const user of [alice, bob, carol])
    for (const { id } of (await user.api('/presentations')).body.items)
      await user.waitUntilSettled(id)
})

test("another user's cursor lists only the caller's own presentations, and usage starts at zero", async () => {
  const { body } = await alice.api('/presentations?limit=1')
  expect(body.next_cursor).toEqual(expect.any(String))
  const page = await bob.api(`/presentations?cursor=${body.next_cursor}`)
  expect(page.status).toBe(200)
  const own = (await bob.api('/presentations')).body.items.map(({ id }: Presentation) => id)
  for (const { id } of page.body.items) expect(own).toContain(id)
  const { body: usage } = await (await world.createUser('new')).api('/usage')
  expect(usage.per_day.used).toBe(0)
})

test('a download link opens only its own object, and the bucket is closed without one', async () => {
  const { body } = await alice.api(`/presentations/${done.id}/download`, {
    headers: { accept: 'application/json' },
  })
  const link = new URL(body.url)
  const bucket = `${link.origin}/${link.pathname.split('/')[1]}`
  const foreign = await bob.generate()
  const changed = (change: (url: URL) => void) => {
    const url = new URL(link)
    change(url)
    return url
  }
  const tries: [string, URL | string][] = [
    [
      "another's object",
      changed(
        (url) =>
          (url.pathname = url.pathname.replace(alice.sub, bob.sub).replace(done.id, foreign.id)),
      ),
    ],
    ['the bucket', changed((url) => (url.pathname = `/${link.pathname.split('/')[1]}/`))],
    ['the store', changed((url) => (url.pathname = '/'))],
    [
      'a path traversal',
      changed((url) => (url.pathname = `${url.pathname}/../../${bob.sub}/${foreign.id}.pptx`)),
    ],
    ['no signature', link.href.replace(/\?.*/s, '')],
    ['a listing', `${bucket}?list-type=2`],
    ['a guessed key', `${bucket}/presentations/${alice.sub}/${done.id}.pptx`],
    ['a longer expiry', changed((url) => url.searchParams.set('X-Amz-Expires', '604799'))],
    [
      'another file name',
      changed((url) => url.searchParams.set('response-content-disposition', 'inline')),
    ],
    [
      'another key',
      changed((url) =>
        url.searchParams.set('X-Amz-Credential', `x${url.searchParams.get('X-Amz-Credential')}`),
      ),
    ],
  ]
  for (const [name, url] of tries) {
    const response = await fetch(url, { redirect: 'manual' })
    expect(response.status, name).toBe(403)
    expect(await response.text()).not.toContain(foreign.id.slice(0, 13))
  }
  expect((await fetch(link)).status).toBe(200)
})

test("other callers' requests changed nothing for the owner", async () => {
  expect(await alice.read(done.id)).toEqual(done)
  expect(await alice.read(waiting.id)).toEqual(waiting)
  expect(await alice.api(`/presentations/${waiting.id}/cancel`, { method: 'POST' })).toMatchObject({
    status: 202,
  })
})
