// Two users don't see each other's anything: on every route that the gateway's own description
// names, a foreign id, an unknown one and one that is none are answered alike.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Answer, Presentation, User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
let made: Presentation
beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  ;[alice, bob] = [await world.user('alice'), await world.user('bob')]
  made = await alice.make()
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

/** Valid bodies, so that it is the id alone that is refused. */
const bodies: Record<string, object> = {
  'PATCH /presentations/{id}': { title: 'Mine now' },
  'PUT /presentations/{id}/outlines': { outlines: ['Mine now'] },
  'POST /presentations/{id}/exports': { format: 'pdf' },
}

interface Route {
  method: string
  path: string
}

/** All routes about one presentation, also those that the description gains later. */
async function routesOfOne(): Promise<Route[]> {
  const { paths } = (await (await fetch(`${world.url}/openapi.json`)).json()) as {
    paths: Record<string, object>
  }
  return Object.entries(paths)
    .filter(([path]) => path.includes('/presentations/{id}'))
    .flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => ({
        method: method.toUpperCase(),
        path: path.replace(/^\/api\/v1/, ''),
      })),
    )
    .filter(({ method }) => method !== 'HEAD' && method !== 'PARAMETERS')
}

function ask(user: User, { method, path }: Route, id: string): Promise<Answer> {
  const body = bodies[`${method} ${path}`]
  return user.api(path.replace('{id}', id), {
    method,
    ...(body && { body }),
    headers: { accept: 'application/json' },
  })
}

/** What is answered, without what names the request itself. */
function essence({ status, headers, body }: Answer) {
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

test('a foreign, an unknown and a malformed id are answered alike, on every route', async () => {
  const routes = await routesOfOne()
  expect(routes).toEqual(
    expect.arrayContaining([
      { method: 'GET', path: '/presentations/{id}' },
      { method: 'GET', path: '/presentations/{id}/events' },
    ]),
  )
  const ids = [
    made.id,
    randomUUID(),
    'no-id',
    '00000000-0000-0000-0000-000000000000',
    '%00',
    `${made.id}x`,
    "'; select 1; --",
    '1',
  ]
  for (const route of routes) {
    const answers = await Promise.all(ids.map((id) => ask(bob, route, id)))
    const [foreign] = answers.map(essence)
    expect({ route, ...foreign }).toMatchObject({
      status: 404,
      body: { code: 'NOT_FOUND', type: 'about:blank', title: 'Not Found' },
    })
    for (const [index, answer] of answers.entries())
      expect({ route, id: ids[index], ...essence(answer) }).toEqual({
        route,
        id: ids[index],
        ...foreign,
      })
  }
})

test('also where a query asks for more, and for those who want an event stream', async () => {
  for (const path of ['', '?wait=1', '/events?last_event_id=3', '/download?format=pptx']) {
    const asked = performance.now()
    const [foreign, unknown] = await Promise.all(
      [made.id, randomUUID()].map((id) => bob.api(`/presentations/${id}${path}`)),
    )
    expect(essence(foreign!)).toEqual(essence(unknown!))
    expect(foreign).toMatchObject({ status: 404 })
    // Nobody waits for what is not theirs: the time would tell.
    expect(performance.now() - asked).toBeLessThan(900)
  }
  for (const id of [made.id, randomUUID(), 'no-id']) {
    const reader = await bob.follow(id, { lastEventId: 1 })
    expect(reader.status).toBe(404)
    expect(JSON.parse(await reader.body)).toMatchObject({ code: 'NOT_FOUND' })
  }
})

test('nothing that was tried has changed anything for its owner', async () => {
  expect(await alice.read(made.id)).toEqual(made)
  expect((await alice.api('/presentations')).body.items).toEqual([made])
  expect((await bob.api('/presentations')).body).toEqual({ items: [], next_cursor: null })
})

test('an id is a name, however it is written', async () => {
  const { status, body } = await alice.api(`/presentations/${made.id.toUpperCase()}`)
  expect([200, 404]).toContain(status)
  if (status === 200) expect(body.id).toBe(made.id)
})

test('users whose names look alike, or like something else, are different users', async () => {
  const names = [
    'Alice',
    'alice ',
    'alice/../bob',
    '%61lice',
    '..',
    "alice' or '1'='1",
    'a'.repeat(255),
    '{"$ne":1}',
  ]
  for (const sub of names) {
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

test('without a good token nothing is told, not even what exists', async () => {
  const routes = await routesOfOne()
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
      const answer = await fetch(`${world.url}/api/v1${route.path.replace('{id}', made.id)}`, {
        method: route.method,
        headers: { accept: 'application/json', ...(authorization && { authorization }) },
      })
      expect({
        route,
        status: answer.status,
        how: answer.headers.get('www-authenticate'),
      }).toMatchObject({
        route,
        status: 401,
        how: expect.stringMatching(/^Bearer/),
      })
      expect(await answer.json()).toMatchObject({ code: 'AUTHENTICATION_FAILED' })
    }
  }
})
