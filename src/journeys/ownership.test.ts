// Whose it is. Every route that the gateway describes is tried by nobody, by another user and by
// one whose token is over, with ids that are somebody's, nobody's, or none: what is answered must
// not tell which. Then all other ways to somebody's things.

import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { expectProblem, toAnswer } from './attack-shape.ts'
import {
  type Described,
  fillPath,
  readDescription,
  routesOf,
  routesOfOne,
  simplestBody,
  strangeIds,
} from './described-routes.ts'
import { brief, type Presentation, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let alice: User
let bob: User
let expired: string
let done: Presentation
let waiting: Presentation
let routes: Described[]

beforeAll(async () => {
  world = await openWorld({ shape: 'A1' })
  ;[alice, bob] = [await world.user('alice'), await world.user('bob')]
  expired = await world.sign({ sub: alice.sub, expiresInSeconds: -60 })
  done = await alice.make({ ...brief, title: 'Only mine' })
  waiting = await alice.settled((await alice.accept({ ...brief, review_outlines: true })).id)
  routes = routesOf(await readDescription(world.url))
})
afterEach(() => world.expectNothingLeft())
afterAll(() => world.close())

const callers: [name: string, headers: () => Record<string, string>, status: number][] = [
  ['nobody', () => ({}), 401],
  ['one whose token is over', () => ({ authorization: `Bearer ${expired}` }), 401],
  [
    'one whose session is over',
    () => ({ cookie: `gateway_session=${expired}`, 'sec-fetch-site': 'same-origin' }),
    401,
  ],
  ['another', () => ({ authorization: `Bearer ${bob.token}` }), 404],
  [
    'another by session',
    () => ({ cookie: `gateway_session=${bob.token}`, 'sec-fetch-site': 'same-origin' }),
    404,
  ],
]

function ask({ method, path, bodySchema }: Described, id: string, headers: Record<string, string>) {
  const body = simplestBody(bodySchema)
  return fetch(`${world.url}${fillPath(path, id)}`, {
    ...{ method, redirect: 'manual' },
    headers: {
      accept: 'application/json',
      ...(body && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(body && { body: JSON.stringify(body) }),
  })
}

/** All that a caller sees, but for what names this very request, or the time of it. */
async function essence(response: Response, status: number, what: string) {
  const answer = await toAnswer(response)
  const { instance, request_id, ...problem } = expectProblem(answer, status, what)
  const {
    date,
    'x-request-id': id,
    'content-length': length,
    'ratelimit-remaining': left,
    'ratelimit-reset': reset,
    ...headers
  } = answer.headers
  return { problem, headers }
}

test.each(callers)(
  'every route about one thing answers %s alike, whatever the id names',
  async (name, headers, status) => {
    const ofOne = routesOfOne(routes)
    expect(ofOne.length).toBeGreaterThan(10)
    for (const route of ofOne) {
      const what = `${route.method} ${route.path} as ${name}`
      const first = await essence(await ask(route, done.id, headers()), status, what)
      const others = [
        waiting.id,
        done.id.toUpperCase(),
        `${done.id}%20`,
        `${done.id}.`,
        ...strangeIds,
      ]
      const answers = await Promise.all(
        others.map(async (id) =>
          essence(await ask(route, id, headers()), status, `${what}: ${id}`),
        ),
      )
      for (const [i, answer] of answers.entries())
        expect(answer, `${what}: ${others[i]}`).toEqual(first)
    }
  },
)

test('every route that needs a caller refuses nobody and the late, also those about no one thing', async () => {
  for (const route of routes.filter(({ needsCaller }) => needsCaller)) {
    for (const [name, headers, status] of callers.slice(0, 3)) {
      const answer = await ask(route, done.id, headers())
      expectProblem(await toAnswer(answer), status, `${route.method} ${route.path} as ${name}`)
    }
  }
  // What needs none is what operators and readers of the description ask for, and the end of a
  // session.
  const open = routes.filter(({ needsCaller }) => !needsCaller).map(({ path }) => path)
  expect(
    open.filter((path) => !/^\/(health|metrics|openapi\.json|api\/v1\/session$)/.test(path)),
  ).toEqual([])
})

test('streams and waits are no other way to ask', async () => {
  const own = { authorization: `Bearer ${bob.token}` }
  const ways: [path: string, headers: Record<string, string>][] = [
    ['?wait=30', {}],
    ['/events', { accept: 'text/event-stream' }],
    ['/events', { accept: 'text/event-stream', 'last-event-id': '3' }],
    ['/events?last_event_id=999999', {}],
    ['/download?format=pptx', { accept: '*/*' }],
  ]
  for (const [path, headers] of ways) {
    const asked = performance.now()
    const answers = await Promise.all(
      [done.id, waiting.id, randomUUID(), 'no-id'].map(async (id) => {
        const answer = await fetch(`${world.url}/api/v1/presentations/${id}${path}`, {
          headers: { ...own, ...headers },
          redirect: 'manual',
        })
        return essence(answer, 404, path)
      }),
    )
    for (const answer of answers) expect(answer).toEqual(answers[0])
    expect(performance.now() - asked, 'nobody waits for what is not theirs').toBeLessThan(5_000)
  }
})

test('the time of an answer does not tell a foreign id from an unknown one', async () => {
  const headers = { authorization: `Bearer ${bob.token}` }
  const times: Record<'foreign' | 'unknown', number[]> = { foreign: [], unknown: [] }
  for (let i = 0; i < 60; i++) {
    for (const kind of i % 2
      ? (['foreign', 'unknown'] as const)
      : (['unknown', 'foreign'] as const)) {
      const id = kind === 'foreign' ? done.id : randomUUID()
      const begun = performance.now()
      await (await fetch(`${world.url}/api/v1/presentations/${id}`, { headers })).arrayBuffer()
      times[kind].push(performance.now() - begun)
    }
  }
  const median = (list: number[]) => list.sort((a, b) => a - b)[list.length >> 1] ?? 0
  const [foreign, unknown] = [median(times.foreign), median(times.unknown)]
  // A look into another table, or the row itself, would show; what is left is the noise of the
  // machine.
  expect(Math.max(foreign, unknown) / Math.min(foreign, unknown)).toBeLessThan(2.5)
})

test("an Idempotency-Key is one's own: another's opens nothing, and is not even known", async () => {
  const headers = { 'idempotency-key': randomUUID() }
  const mine = await alice.accept(brief, headers)
  const theirs = await bob.post(brief, headers)
  expect(theirs).toMatchObject({ status: 202, body: { id: expect.not.stringContaining(mine.id) } })
  expect(theirs.headers.get('idempotency-replayed')).toBeNull()
  // With another body it would be a reuse for its owner, and is none for anybody else.
  const carol = await world.user('carol')
  expect(await carol.post({ ...brief, n_slides: 4 }, headers)).toMatchObject({ status: 202 })
  const onTheirs = await bob.api(`/presentations/${done.id}/exports`, {
    method: 'POST',
    body: { format: 'pdf' },
    headers: { 'idempotency-key': 'a' },
  })
  expect(onTheirs).toMatchObject({ status: 404 })
  for (const user of [alice, bob, carol])
    for (const { id } of (await user.api('/presentations')).body.items) await user.settled(id)
})

test('a cursor of another leads through no list but ones own', async () => {
  const { body } = await alice.api('/presentations?limit=1')
  expect(body.next_cursor).toEqual(expect.any(String))
  const page = await bob.api(`/presentations?cursor=${body.next_cursor}`)
  expect(page.status).toBe(200)
  const own = (await bob.api('/presentations')).body.items.map(({ id }: Presentation) => id)
  for (const { id } of page.body.items) expect(own).toContain(id)
  const { body: usage } = await (await world.user('new')).api('/usage')
  expect(usage.per_day.used).toBe(0)
})

test('a link opens its own object only, and the bucket opens to nobody without one', async () => {
  const { body } = await alice.api(`/presentations/${done.id}/download`, {
    headers: { accept: 'application/json' },
  })
  const link = new URL(body.url)
  const bucket = `${link.origin}/${link.pathname.split('/')[1]}`
  const theirs = await bob.make()
  const bent = (change: (url: URL) => void) => {
    const url = new URL(link)
    change(url)
    return url
  }
  const tries: [string, URL | string][] = [
    [
      "another's object",
      bent(
        (url) =>
          (url.pathname = url.pathname.replace(alice.sub, bob.sub).replace(done.id, theirs.id)),
      ),
    ],
    ['the bucket', bent((url) => (url.pathname = `/${link.pathname.split('/')[1]}/`))],
    ['the store', bent((url) => (url.pathname = '/'))],
    [
      'a way back',
      bent((url) => (url.pathname = `${url.pathname}/../../${bob.sub}/${theirs.id}.pptx`)),
    ],
    ['no signature', link.href.replace(/\?.*/s, '')],
    ['a list', `${bucket}?list-type=2`],
    ['a guess', `${bucket}/presentations/${alice.sub}/${done.id}.pptx`],
    ['a longer life', bent((url) => url.searchParams.set('X-Amz-Expires', '604799'))],
    ['another name', bent((url) => url.searchParams.set('response-content-disposition', 'inline'))],
    [
      'another key',
      bent((url) =>
        url.searchParams.set('X-Amz-Credential', `x${url.searchParams.get('X-Amz-Credential')}`),
      ),
    ],
  ]
  for (const [name, url] of tries) {
    const answer = await fetch(url, { redirect: 'manual' })
    expect(answer.status, name).toBe(403)
    expect(await answer.text()).not.toContain(theirs.id.slice(0, 13))
  }
  expect((await fetch(link)).status).toBe(200)
})

test('nothing of all that has changed anything for its owner', async () => {
  expect(await alice.read(done.id)).toEqual(done)
  expect(await alice.read(waiting.id)).toEqual(waiting)
  expect(await alice.api(`/presentations/${waiting.id}/cancel`, { method: 'POST' })).toMatchObject({
    status: 202,
  })
})
