// Secret leaks: every text that a caller sends and every upstream failure carries a marked word.
// The tests search for these words in responses, events, metrics, and log lines of level `trace`.

import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

const presentonPassword = 'MARK-presenton-password'
/** Words in the stand-in's failure texts: a provider's error and a traceback. */
const upstreamSecrets = [
  'sk-proj-SECRET0123456789abcdef',
  'hunter2',
  'llm.internal.example',
  'AIzaSECRET0123',
  'eyJhbGciOi.SECRET.sig',
  '/app/servers',
  's3cr3t',
  '@db:5432',
  'Traceback',
  '169.254.169.254',
  '/etc/passwd',
  'userConfig',
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
/** Responses with their headers, and events. Without responses that return the caller's data. */
const outputs: string[] = []
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
    timing: { sleep: () => new Promise(setImmediate) },
  })
  owner = await world.createUser('owner')
  tickets = []
})
afterAll(() => world.close())

/** Sends a request and records its response. */
async function send(path: string, init: RequestInit & { headers?: Record<string, string> } = {}) {
  const headers = {
    authorization: `Bearer ${owner.token}`,
    ...(init.body ? { 'content-type': 'application/json' } : {}),
    ...init.headers,
  }
  const response = await fetch(`${world.url}${path}`, { redirect: 'manual', ...init, headers })
  const text = await response.text()
  outputs.push(`${response.status} ${JSON.stringify([...response.headers])} ${text}`)
  return text
}

/** Sends every request about the presentation, and reads its event stream. */
async function sendAll(id: string) {
  const path = `/api/v1/presentations/${id}`
  for (const rest of [
    '',
    '?wait=1',
    '/outlines',
    '/download',
    '/download?format=pdf',
    `/nothing?x=${marks.query}`,
  ])
    await send(`${path}${rest}`)
  await send(`${path}/retry`, {
    method: 'POST',
    body: '{"x":1}',
    headers: { 'idempotency-key': marks.key },
  })
  const text = await send(`${path}/ticket`, { method: 'POST' })
  outputs.pop()
  tickets.push((JSON.parse(text) as { ticket: string }).ticket)
  const streams = [
    await openReader(`${world.url}${path}/events`, { token: owner.token }),
    await openReader(`${world.url}${path}/events?ticket=${tickets.at(-1)}`),
    await openReader(`${world.url}${path}/events?ticket=${tickets.at(-1)}`),
  ]
  for (const stream of streams)
    outputs.push(...(await stream.rest()).map((event) => event.text), await stream.body)
}

const failures = [
  'outlines:error-secrets',
  'slides:error-secrets',
  'create:500-detail',
  'prepare:500-detail',
  'export:500-detail',
  'prepare:model-401',
  'create:422',
  'create:403',
  'create:redirect',
  'export:path-other-host',
  'export:path-outside',
  'export:path-dots',
  'export:runtime-failed',
  'prepare:index-error',
  'create:reply-html',
  'file:404',
] as Parameters<World['presenton']['faults']['inject']>[0][]

test('runs with marked words complete, and runs with marked failures fail', {
  timeout: 120_000,
}, async () => {
  const markedBrief = {
    content: `We met. ${marks.content} was said. Then we agreed on it.`,
    title: marks.title,
    instructions: marks.instructions,
    metadata: { note: marks.metadata },
    n_slides: 3,
  }
  const fromContent = await owner.submit(markedBrief, { 'idempotency-key': `${marks.key}-1` })
  const fromOutlines = await owner.submit({
    outlines: [`# ${marks.outline}`, 'Two', 'Three'],
    title: marks.title,
  })
  for (const { id } of [fromContent, fromOutlines])
    expect(await owner.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  for (const fault of failures) {
    world.presenton.faults.inject(fault, { times: Number.POSITIVE_INFINITY })
    const { id } = await owner.submit(
      { ...markedBrief, metadata: {}, title: 'A title' },
      { 'idempotency-key': `${marks.key}-${fault}` },
    )
    expect(await owner.waitUntilSettled(id), fault).toMatchObject({
      status: 'failed',
      error: { detail: expect.any(String) },
    })
    world.presenton.faults.clear()
    await sendAll(id)
  }
  // Invalid requests, and secrets in the wrong part of a request.
  const bodies = [
    `{"content":"${marks.content}`,
    JSON.stringify({ ...markedBrief, n_slides: marks.content }),
    JSON.stringify([marks.content]),
  ]
  for (const body of bodies)
    await send('/api/v1/presentations', {
      method: 'POST',
      body,
      headers: { 'idempotency-key': marks.key },
    })
  await send('/api/v1/presentations', {
    method: 'POST',
    body: JSON.stringify(markedBrief),
    headers: { 'idempotency-key': `${marks.key}\u00e4` },
  })
  await send(`/api/v1/presentations?access_token=${owner.token}&x=${marks.query}`)
  await send(`/api/v1/presentations/${owner.token}`)
  outputs.pop()
  await send('/api/v1/presentations', { headers: { authorization: `Bearer ${owner.token}x` } })
  await send('/api/v1/presentations', {
    headers: { authorization: '', cookie: `gateway_session=${owner.token}x` },
  })
  await send('/api/v1/templates')
  await send('/health')
  await send('/openapi.json')
})

test('no response and no event contains a secret or an internal name', async () => {
  const database = new URL(String(world.variables['DATABASE_URL']))
  const hidden = [
    ...upstreamSecrets,
    presentonPassword,
    world.presenton.url.replace('http://', ''),
    'presenton_session',
    database.password,
    database.pathname.slice(1),
    `${database.hostname}:${database.port}`,
    world.objects.secretKey,
    String(world.variables['AUTH_JWT_SECRET']),
    'gateway.presentations',
    owner.token,
    marks.key,
    marks.query,
    marks.instructions,
    ...tickets,
    'node_modules',
    '.ts:',
  ].filter((word) => word !== '')
  expect(outputs.length).toBeGreaterThan(100)
  expect(
    outputs.flatMap((text) =>
      hidden
        .filter((word) => text.includes(word))
        .map((word) => ({ word, text: text.slice(0, 500) })),
    ),
  ).toEqual([])
})

test('no log line contains a secret, a credential or text of the caller', async () => {
  const lines = world.gateways.flatMap(({ logs }) => logs)
  const hidden = [
    'sk-proj-SECRET0123456789abcdef',
    'hunter2',
    'AIzaSECRET0123',
    's3cr3t',
    presentonPassword,
    'presenton_session=',
    world.objects.secretKey,
    String(world.variables['AUTH_JWT_SECRET']),
    new URL(String(world.variables['DATABASE_URL'])).password,
    owner.token,
    ...tickets,
    'X-Amz-Signature',
    ...Object.values(marks),
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

test('metrics contain no user, no id, no address and no text of the caller', async () => {
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

test('no text of one user reaches another user', async () => {
  const other = await world.createUser('other')
  await other.generate({ ...brief })
  const seen = JSON.stringify([
    (await other.api('/presentations')).body,
    (await other.api('/usage')).body,
    (await other.api('/templates')).body,
  ])
  for (const word of [owner.sub, ...Object.values(marks), randomUUID()])
    expect(seen).not.toContain(word)
})
