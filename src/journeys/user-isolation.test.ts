// Users are isolated: every described route gives the same response for a foreign, an unknown and a
// malformed id.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { fillPath, listRoutes, type Route, readOpenApi, sampleBody } from './openapi-routes.ts'
import type { ApiResponse, Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
let presentation: Presentation
beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  ;[alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  presentation = await alice.generate()
})
afterEach(() => world.expectNoLeaks())
afterAll(() => world.close())

/** Every described route of a single presentation, including those added later; below /api/v1. */
async function presentationRoutes(): Promise<Route[]> {
  const routes = listRoutes(await readOpenApi(world.url))
  return routes
    .filter(({ path }) => path.includes('/presentations/{id}'))
    .map((route) => ({ ...route, path: route.path.replace(/^\/api\/v1/, '') }))
}

/** With a valid body, so that only the id can cause a refusal. */
function request(user: User, route: Route, id: string): Promise<ApiResponse> {
  const body = sampleBody(route)
  return user.api(fillPath(route.path, id), {
    method: route.method,
    ...(body !== undefined && { body }),
    headers: { accept: 'application/json' },
  })
}

/** The response without members and headers that identify the request. */
function comparable({ status, headers, body }: ApiResponse) {
  const { instance, request_id, ...rest } = body
  expect({ instance, request_id }).toEqual({
    instance: expect.any(String),
    request_id: expect.any(String),
  })
  const names = [...headers.keys()].filter(
    (name) => !['date', 'x-request-id', 'content-length'].includes(name),
  )
  return { status, body: rest, headers: names.sort() }
}

test('returns the same 404 for a foreign, an unknown and a malformed id, on every route', async () => {
  const routes = await presentationRoutes()
  expect(routes.map(({ method, path }) => `${method} ${path}`)).toEqual(
    expect.arrayContaining(['GET /presentations/{id}', 'GET /presentations/{id}/events']),
  )
  const ids = [
    presentation.id,
    randomUUID(),
    'no-id',
    '00000000-0000-0000-0000-000000000000',
    '%00',
    `${presentation.id}x`,
    `urn:uuid:${presentation.id}`,
    `{${presentation.id}}`,
    presentation.id.replaceAll('-', ''),
    "'; select 1; --",
    '1',
  ]
  for (const described of routes) {
    const route = { method: described.method, path: described.path }
    const responses = await Promise.all(ids.map((id) => request(bob, described, id)))
    const [foreign] = responses.map(comparable)
    expect({ route, ...foreign }).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND', type: 'about:blank', title: 'Not Found' },
    })
    for (const [index, response] of responses.entries())
      expect({ route, id: ids[index], ...comparable(response) }).toEqual({
        route,
        id: ids[index],
        ...foreign,
      })
  }
})

test('returns the same 404 with `wait`, for downloads and for event streams', async () => {
  for (const path of ['', '?wait=60', '/events?last_event_id=3', '/download?format=pptx']) {
    const startedMs = performance.now()
    const [foreign, unknown] = await Promise.all(
      [presentation.id, randomUUID()].map((id) => bob.api(`/presentations/${id}${path}`)),
    )
    expect(comparable(foreign!)).toEqual(comparable(unknown!))
    expect(foreign).toMatchObject({ status: 404 })
    // A wait would reveal that the presentation exists.
    expect(performance.now() - startedMs).toBeLessThan(30_000)
  }
  for (const id of [presentation.id, randomUUID(), 'no-id']) {
    const reader = await bob.subscribe(id, { lastEventId: 1 })
    expect(reader.status).toBe(404)
    expect(JSON.parse(await reader.body)).toMatchObject({ code: 'NOT_FOUND' })
  }
})

test("another user's requests changed nothing for the owner", async () => {
  expect(await alice.read(presentation.id)).toEqual(presentation)
  expect((await alice.api('/presentations')).body.items).toEqual([presentation])
  expect((await bob.api('/presentations')).body).toEqual({ items: [], next_cursor: null })
})

test('an id in upper case is either unknown or names the same presentation', async () => {
  const { status, body } = await alice.api(`/presentations/${presentation.id.toUpperCase()}`)
  expect([200, 404]).toContain(status)
  if (status === 200) expect(body.id).toBe(presentation.id)
})

test('similar or crafted subjects are different users', async () => {
  const subjects = [
    'Alice',
    'alice ',
    'alice/../bob',
    '%61lice',
    '..',
    "alice' or '1'='1",
    'a'.repeat(255),
    '{"$ne":1}',
  ]
  for (const sub of subjects) {
    const token = await world.sign({ sub })
    const headers = { authorization: `Bearer ${token}` }
    const list = await fetch(`${world.url}/api/v1/presentations`, { headers })
    expect({ sub, status: list.status, body: await list.json() }).toEqual({
      sub,
      status: 200,
      body: { items: [], next_cursor: null },
    })
  }
})

test('returns 401 on every route without a valid token', async () => {
  const routes = await presentationRoutes()
  for (const route of [
    ...routes,
    { method: 'GET', path: '/presentations' },
    { method: 'POST', path: '/presentations' },
    { method: 'GET', path: '/templates' },
  ]) {
    for (const authorization of [
      '',
      'Bearer',
      'Bearer x.y.z',
      `Basic ${Buffer.from('alice:x').toString('base64')}`,
    ]) {
      const response = await fetch(
        `${world.url}/api/v1${route.path.replace('{id}', presentation.id)}`,
        {
          method: route.method,
          headers: { accept: 'application/json', ...(authorization && { authorization }) },
        },
      )
      expect({
        route,
        status: response.status,
        challenge: response.headers.get('www-authenticate'),
      }).toMatchObject({
        route,
        status: 401,
        challenge: expect.stringMatching(/^Bearer/),
      })
      expect(await response.json()).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    }
  }
})
