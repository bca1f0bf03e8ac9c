// What leaks: marked words in everything that a caller sends, and in everything that upstream says
// when it fails. They are looked for in all answers, events, log lines at the finest level, and
// metrics.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const presentonPassword = 'MARK-presenton-password'
/** In the texts of the stand-in's faults: a provider's error, and a traceback. */
const upstreamSecrets = [
  ...[
    'sk-proj-SECRET0123456789abcdef',
    'hunter2',
    'llm.internal.example',
    'AIzaSECRET0123',
    'eyJhbGciOi.SECRET.sig',
    '/app/servers',
  ],
  ...['s3cr3t', '@db:5432', 'Traceback', '169.254.169.254', '/etc/passwd', 'userConfig'],
]
const marks = {
  content: 'MARK-content',
  outline: 'MARK-outline',
  instructions: 'MARK-instructions',
  title: 'MARK-title',
  metadata: 'MARK-metadata',
  key: 'MARK-idempotency-key',
  query: 'MARK-query',
}

let world: World
let owner: User
/**
 * All that the gateway said: answers with their headers, and events; without those that give a
 * caller their own things back.
 */
const told: string[] = []
let tickets: string[]

beforeAll(async () => {
  world = await openWorld({
    shape: 'A1',
    credentials: { username: 'operator', password: presentonPassword },
    env: {
      PRESENTON_USERNAME: 'operator',
      PRESENTON_PASSWORD: presentonPassword,
      LOG_LEVEL: 'trace',
    },
    waits: { sleep: () => new Promise(setImmediate) },
  })
  owner = await world.user('owner')
  tickets = []
})
afterAll(() => world.close())

async function tell(path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  const headers = {
    authorization: `Bearer ${owner.token}`,
    ...(init.body ? { 'content-type': 'application/json' } : {}),
    ...init.headers,
  }
  const answer = await fetch(`${world.url}${path}`, { redirect: 'manual', ...init, headers })
  const text = await answer.text()
  told.push(`${answer.status} ${JSON.stringify([...answer.headers])} ${text}`)
  return { status: answer.status, text }
}

/** Everything that can be asked about one presentation. */
async function tellAll(id: string) {
  const path = `/api/v1/presentations/${id}`
  for (const below of [
    '',
    '?wait=1',
    '/outlines',
    '/download',
    '/download?format=pdf',
    `/nothing?x=${marks.query}`,
  ])
    await tell(`${path}${below}`)
  await tell(`${path}/retry`, {
    method: 'POST',
    body: '{"x":1}',
    headers: { 'idempotency-key': marks.key },
  })
  const { text } = await tell(`${path}/ticket`, { method: 'POST' })
  told.pop()
  tickets.push((JSON.parse(text) as { ticket: string }).ticket)
  const streams = [
    await openReader(`${world.url}${path}/events`, { token: owner.token }),
    await openReader(`${world.url}${path}/events?ticket=${tickets.at(-1)}`),
    await openReader(`${world.url}${path}/events?ticket=${tickets.at(-1)}`),
  ]
  for (const stream of streams)
    told.push(...(await stream.rest()).map((event) => event.text), await stream.body)
}

const failures = [
  ...[
    'outlines:error-secrets',
    'slides:error-secrets',
    'create:500-detail',
    'prepare:500-detail',
    'export:500-detail',
  ],
  ...[
    'prepare:model-401',
    'create:422',
    'create:403',
    'create:redirect',
    'export:path-other-host',
    'export:path-outside',
  ],
  ...[
    'export:path-dots',
    'export:runtime-failed',
    'prepare:index-error',
    'create:reply-html',
    'file:404',
  ],
] as Parameters<World['presenton']['faults']['inject']>[0][]

test('a deck is made of marked words, and runs fail with marked words', {
  timeout: 60_000,
}, async () => {
  const words = {
    content: `We met. ${marks.content} was said. Then we agreed on it.`,
    ...{
      title: marks.title,
      instructions: marks.instructions,
      metadata: { note: marks.metadata },
      n_slides: 3,
    },
  }
  const good = await owner.accept(words, { 'idempotency-key': `${marks.key}-1` })
  const own = await owner.accept({
    outlines: [`# ${marks.outline}`, 'Two', 'Three'],
    title: marks.title,
  })
  for (const { id } of [good, own])
    expect(await owner.settled(id)).toMatchObject({ status: 'completed' })
  for (const fault of failures) {
    world.presenton.faults.inject(fault, { times: Number.POSITIVE_INFINITY })
    const { id } = await owner.accept(
      { ...words, metadata: {}, title: 'A title' },
      { 'idempotency-key': `${marks.key}-${fault}` },
    )
    expect(await owner.settled(id), fault).toMatchObject({
      status: 'failed',
      error: { detail: expect.any(String) },
    })
    world.presenton.faults.clear()
    await tellAll(id)
  }
  // What nobody should send, or where.
  const bodies = [
    `{"content":"${marks.content}`,
    JSON.stringify({ ...words, n_slides: marks.content }),
    JSON.stringify([marks.content]),
  ]
  for (const body of bodies)
    await tell('/api/v1/presentations', {
      method: 'POST',
      body,
      headers: { 'idempotency-key': marks.key },
    })
  await tell('/api/v1/presentations', {
    method: 'POST',
    body: JSON.stringify(words),
    headers: { 'idempotency-key': `${marks.key}\u00e4` },
  })
  await tell(`/api/v1/presentations?access_token=${owner.token}&x=${marks.query}`)
  await tell(`/api/v1/presentations/${owner.token}`)
  told.pop()
  await tell('/api/v1/presentations', { headers: { authorization: `Bearer ${owner.token}x` } })
  await tell('/api/v1/presentations', {
    headers: { authorization: '', cookie: `gateway_session=${owner.token}x` },
  })
  await tell('/api/v1/templates')
  await tell('/health')
  await tell('/openapi.json')
})

test('nothing of upstream, database, storage or secrets is told to anybody', async () => {
  const database = new URL(String(world.variables['DATABASE_URL']))
  const hidden = [
    ...upstreamSecrets,
    ...[presentonPassword, world.presenton.url.replace('http://', ''), 'presenton_session'],
    ...[database.password, database.pathname.slice(1), `${database.hostname}:${database.port}`],
    ...[
      world.objects.secretKey,
      String(world.variables['AUTH_JWT_SECRET']),
      'gateway.presentations',
    ],
    ...[
      owner.token,
      marks.key,
      marks.query,
      marks.instructions,
      ...tickets,
      'node_modules',
      '.ts:',
    ],
  ].filter((word) => word !== '')
  expect(told.length).toBeGreaterThan(100)
  expect(
    told.flatMap((text) =>
      hidden
        .filter((word) => text.includes(word))
        .map((word) => ({ word, text: text.slice(0, 500) })),
    ),
  ).toEqual([])
})

test('a log holds no secret, no credential, and nothing of what was written', async () => {
  const lines = world.gateways.flatMap(({ logs }) => logs)
  const hidden = [
    ...[
      'sk-proj-SECRET0123456789abcdef',
      'hunter2',
      'AIzaSECRET0123',
      's3cr3t',
      presentonPassword,
      'presenton_session=',
    ],
    ...[
      world.objects.secretKey,
      String(world.variables['AUTH_JWT_SECRET']),
      new URL(String(world.variables['DATABASE_URL'])).password,
    ],
    ...[owner.token, ...tickets, 'X-Amz-Signature', ...Object.values(marks)],
  ].filter((word) => word !== '')
  expect(lines.length).toBeGreaterThan(200)
  expect(
    lines.flatMap((text) =>
      hidden
        .filter((word) => text.includes(word))
        .map((word) => ({ word, text: text.slice(0, 700) })),
    ),
  ).toEqual([])
})

test('metrics name no one and nothing', async () => {
  const text = await (await fetch(`${world.url}/metrics`)).text()
  const labels = [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => `${name}=${value}`)
  expect(labels.length).toBeGreaterThan(50)
  for (const word of [
    owner.sub,
    owner.token,
    ...Object.values(marks),
    ...upstreamSecrets,
    presentonPassword,
  ])
    expect(text).not.toContain(word)
  expect(labels.filter((label) => /[\da-f]{8}-[\da-f]{4}|:\/\/|127\.0|\?/.test(label))).toEqual([])
})

test("nothing of one user's words reaches another", async () => {
  const other = await world.user('other')
  await other.make({ ...brief })
  const seen = JSON.stringify([
    (await other.api('/presentations')).body,
    (await other.api('/usage')).body,
    (await other.api('/templates')).body,
  ])
  for (const word of [owner.sub, ...Object.values(marks), randomUUID()])
    expect(seen).not.toContain(word)
})
