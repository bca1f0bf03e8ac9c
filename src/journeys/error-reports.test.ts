// Reports of unexpected errors, as a service that takes Sentry's envelopes gets them.

import { afterEach, expect, test } from 'vitest'
import { openReceiver, type Receiver } from '../sandbox/receiver.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { makerCredentials, makerEnv, signInToMaker } from './maker-browser.ts'
import { brief } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
let sentry: Receiver
afterEach(async () => {
  await world.close()
  await sentry.close()
})

async function openWorldWithReports({ env, ...options }: WorldOptions = {}) {
  sentry = await openReceiver()
  sentry.respondWith({ status: 200 })
  const dsn = `${sentry.url.replace('//', '//public-key@')}/42`
  const reports = { SENTRY_DSN: dsn, SENTRY_ENVIRONMENT: 'test' }
  world = await openWorld({ ...options, env: { ...env, ...reports } })
}

/** The event of an envelope. */
// biome-ignore lint/suspicious/noExplicitAny: the test inspects it
const eventOf = (body: string): any => JSON.parse(body.split('\n')[2] ?? '')

/** Lets the database treat a write in an unexpected way. */
async function breakWrites(
  write: 'insert' | 'update',
  table: string,
  body = `raise exception 'MARK in the database';`,
) {
  await world.query(`create function gateway.fail() returns trigger language plpgsql as
    $$ begin ${body} end $$`)
  await world.query(
    `create trigger fail before ${write} on gateway.${table}
     for each row execute function gateway.fail()`,
  )
}

test('a 500 is reported without content, token, user and addresses', async () => {
  await openWorldWithReports()
  const user = await world.createUser('MARK-user')
  const { id } = await user.generate({ ...brief, content: 'MARK-content of a conversation.' })
  await breakWrites('update', 'presentations')
  const { status, body } = await user.api(`/presentations/${id}?q=MARK-query`, {
    method: 'PATCH',
    body: { title: 'MARK-title' },
  })
  expect({ status, body }).toMatchObject({ status: 500, body: { code: 'INTERNAL_ERROR' } })
  const [envelope] = await sentry.waitFor(1)
  expect(envelope).toMatchObject({
    path: '/api/42/envelope/',
    headers: {
      'content-type': 'application/x-sentry-envelope',
      'x-sentry-auth': expect.stringContaining('sentry_key=public-key'),
    },
  })
  const event = eventOf(envelope?.body ?? '')
  expect(event).toMatchObject({
    event_id: expect.stringMatching(/^[0-9a-f]{32}$/),
    platform: 'node',
    level: 'error',
    environment: 'test',
    release: expect.stringMatching(/^presenton-gateway@/),
    tags: { kind: 'request', method: 'PATCH', route: '/api/v1/presentations/:id' },
    user: { id: expect.stringMatching(/^[0-9a-f]{64}$/), ip_address: null },
  })
  const { values } = event.exception
  expect(values.at(-1).stacktrace.frames.length).toBeGreaterThan(3)
  expect(values.at(-1).stacktrace.frames.at(-1)).toMatchObject({
    filename: expect.stringMatching(/^(app:\/\/\/|node:)/),
    lineno: expect.any(Number),
  })
  const text = sentry.received.map(({ body: sent }) => sent).join('\n')
  for (const secret of ['MARK', user.token, id, '127.0.0.1', 'select ', process.cwd()])
    expect(text).not.toContain(secret)
})

test('a 500 of the slide maker is reported, too', async () => {
  await openWorldWithReports({ shape: 'B1', credentials: makerCredentials, env: makerEnv })
  const user = await world.createUser('MARK-user')
  const { presenton_presentation_id: deckId } = await user.generate()
  const browser = await signInToMaker(user, () => world.gateways[0]?.makerUrl ?? '')
  await breakWrites('update', 'presentations')
  const { status } = await browser.fetch('/api/v1/ppt/presentation/update?q=MARK-query', {
    ...{ method: 'PATCH', body: { id: deckId, title: 'MARK-title' } },
  })
  expect(status).toBe(500)
  const [envelope] = await sentry.waitFor(1)
  expect(eventOf(envelope?.body ?? '')).toMatchObject({
    tags: { kind: 'request', method: 'PATCH', route: '/api/v1/ppt/presentation/update' },
    user: { id: expect.stringMatching(/^[0-9a-f]{64}$/) },
  })
  const sent = sentry.received.map(({ body }) => body).join('\n')
  const session = [...browser.cookies.values()].join()
  for (const secret of ['MARK', String(deckId), session, makerEnv.PRESENTON_PASSWORD])
    expect(sent).not.toContain(secret)
})

test('a run that ends with INTERNAL_ERROR is reported once', async () => {
  await openWorldWithReports()
  const user = await world.createUser()
  const { id } = await user.generate()
  // The run of an edit finds nothing to edit.
  await breakWrites('insert', 'slide_edits', 'return null;')
  const edit = { instruction: 'MARK-instruction' }
  await user.api(`/presentations/${id}/slides/1/edit`, { method: 'POST', body: edit })
  const { error } = await user.waitUntilSettled(id)
  expect(error).toMatchObject({ code: 'INTERNAL_ERROR' })
  await sentry.waitFor(1)
  const events = sentry.received.map(({ body }) => eventOf(body))
  const ofRuns = events.filter(({ tags }) => tags.kind === 'run')
  expect(ofRuns).toMatchObject([{ tags: { stage: 'edit', run: 'edit' } }])
})

test.each([
  ['uncaughtException', 'throw new TypeError("MARK")', 'TypeError'],
  ['unhandledRejection', 'Promise.reject(new RangeError("MARK"))', 'RangeError'],
  ['unhandledRejection', 'Promise.reject("MARK, not even an error")', 'string'],
])('an unhandled error (%s: %s) is reported before the process ends', async (event, fail, type) => {
  await openWorldWithReports({ replicas: 0 })
  const failLater = `data:text/javascript,process.once('SIGUSR2',()=>{${encodeURIComponent(fail)}})`
  const replica = await world.spawnReplica({ NODE_OPTIONS: `--import "${failLater}"` })
  replica.child.kill('SIGUSR2')
  expect(await replica.exited).toMatchObject({ code: 1 })
  const events = sentry.received.map(({ body }) => eventOf(body))
  expect(events).toMatchObject([
    {
      level: 'fatal',
      tags: { kind: 'process', event },
      exception: { values: [{ type, value: '' }] },
    },
  ])
  expect(JSON.stringify(events)).not.toContain('MARK')
})

test('problems of callers and outages are not reported, and a service that is away costs a warning', async () => {
  await openWorldWithReports()
  const user = await world.createUser()
  expect(await user.api('/presentations/none')).toMatchObject({ status: 404 })
  expect(await user.api('/presentations', { method: 'POST', body: {} })).toMatchObject({
    status: 400,
  })
  await user.generate()
  expect(sentry.received).toEqual([])
  sentry.respondWith((response) => response.destroy())
  await breakWrites('insert', 'presentations')
  expect(await user.post()).toMatchObject({ status: 500 })
  await waitFor(() =>
    expect(world.gateways[0]?.logs.join('')).toContain('an error was not reported'),
  )
})
