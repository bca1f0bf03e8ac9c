// Outages of Presenton, the object store and Postgres, at the start of the gateway and later. It
// starts without them, reports them as unavailable, and recovers by itself.

import { afterEach, expect, test, vi } from 'vitest'
import { openPostgres } from '../sandbox/postgres.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

// Starting and stopping servers takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let world: World
afterEach(() => world.close())

/** The test starts the gateway itself, after it has taken a dependency down. */
async function openWithoutGateway(options: WorldOptions = {}) {
  world = await openWorld({ replicas: 0, ...options })
  return world
}

async function readHealth(path = '/health/ready') {
  const response = await fetch(`${world.url}${path}`)
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test('without Presenton the gateway starts, reports degraded and accepts briefs; the run waits and completes after the outage', async () => {
  const { presenton } = await openWithoutGateway({ shape: 'B1' })
  await presenton.faults.down()
  await world.openReplica()
  expect(await readHealth('/health/live')).toEqual({ status: 200, body: { status: 'ok' } })
  const degraded = await readHealth()
  expect(degraded).toMatchObject({
    status: 200,
    body: { status: 'degraded', checks: { database: { status: 'ok' } } },
  })
  expect(JSON.stringify(degraded)).not.toContain(String(presenton.port))

  const user = await world.createUser()
  const templates = await user.api('/templates')
  expect(templates).toMatchObject({ status: 503, body: { code: 'UPSTREAM_UNAVAILABLE' } })
  expect(Number(templates.headers.get('retry-after'))).toBeGreaterThan(0)

  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  const eventsBefore = await reader.until('status')
  expect(eventsBefore.at(-1)?.data).toMatchObject({
    status: expect.any(String),
    code: 'UPSTREAM_UNAVAILABLE',
    run: 1,
  })
  expect(eventsBefore.at(-1)?.data.retry_in_seconds).toBeGreaterThanOrEqual(1)
  expect(eventsBefore.at(-1)?.data.retry_in_seconds).toBeLessThanOrEqual(30)
  expect(await user.read(id)).toMatchObject({ status: 'running', error: null })

  await presenton.faults.up()
  const log = readLog([...eventsBefore, ...(await reader.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
  await waitFor(
    async () => expect(await readHealth()).toMatchObject({ status: 200, body: { status: 'ok' } }),
    { timeout: 60_000 },
  )
  await world.expectNoLeaks()
})

test('without the object store the gateway starts and makes the deck; it stores the file after the outage', async () => {
  const { objects, presenton } = await openWithoutGateway({ shape: 'A1' })
  await objects.down()
  await world.openReplica()
  expect(await readHealth()).toMatchObject({ status: 200, body: { status: 'degraded' } })

  const user = await world.createUser()
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  const eventsBefore = await reader.until('status')
  while (eventsBefore.at(-1)?.data.code === undefined)
    eventsBefore.push(...(await reader.until('status')))
  expect(eventsBefore.at(-1)?.data).toMatchObject({
    stage: 'store',
    code: 'STORAGE_UNAVAILABLE',
    retry_in_seconds: expect.any(Number),
  })
  expect(await user.read(id)).toMatchObject({
    status: 'running',
    stage: 'store',
    files: [],
    links: { download: null },
  })
  expect(await user.api(`/presentations/${id}/download`)).toMatchObject({
    status: 409,
    body: { code: 'NOT_READY' },
  })

  await objects.up()
  const log = readLog([...eventsBefore, ...(await reader.rest())])
  const file = await fetch(log.terminal.download.url)
  expect(file.status).toBe(200)
  expect((await file.arrayBuffer()).byteLength).toBe(log.terminal.download.size_bytes)
  // The outage of the store repeats no stage of Presenton.
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  await world.expectNoLeaks()
})

test('without Postgres the gateway is live but not ready and recovers by itself; streams survive a restart of Postgres', async () => {
  const postgres = await openPostgres()
  try {
    const url = await postgres.createDatabase('journey')
    await postgres.stop()
    await openWithoutGateway({
      database: { url, close: () => postgres.close() },
      env: { SSE_HEARTBEAT_SECONDS: '1' },
    })
    const gateway = await world.openReplica({}, { waitUntilReady: false })
    expect(await readHealth('/health/live')).toEqual({ status: 200, body: { status: 'ok' } })
    expect(await readHealth()).toMatchObject({
      status: 503,
      body: { status: 'down', checks: { database: { status: 'unavailable' } } },
    })

    const user = await world.createUser()
    const unavailable = await user.post()
    expect(unavailable).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } })
    expect(Number(unavailable.headers.get('retry-after'))).toBeGreaterThan(0)
    // A browser's EventSource does not reconnect after a 503.
    const emptyStream = await user.subscribe('00000000-0000-4000-8000-000000000000')
    expect(emptyStream.status).toBe(200)
    expect(await emptyStream.rest()).toEqual([])
    expect(emptyStream.retry).toBeGreaterThanOrEqual(2_500)

    await postgres.start()
    await waitFor(async () => expect(await readHealth()).toMatchObject({ status: 200 }), {
      timeout: 60_000,
    })
    await waitFor(async () => expect(await user.post()).toMatchObject({ status: 202 }), {
      timeout: 60_000,
    })
    const { body } = await user.api('/presentations')
    await user.waitUntilSettled(body.items[0].id)

    const { gates } = world.presenton
    gates.hold('slides:slide')
    const { id } = await user.submit()
    const reader = await user.subscribe(id)
    const read = await reader.until('outlines')
    await gates.arrived('slides:slide')
    await postgres.stop()
    gates.release('slides:slide', 1)
    const { comments } = reader
    await expect
      .poll(() => reader.comments, { timeout: 30_000, interval: 50 })
      .toBeGreaterThan(comments + 1)
    await postgres.start()
    gates.release('slides:slide')
    const log = readLog([...read, ...(await reader.rest())])
    expect(log.terminal.type).toBe('complete')
    expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
    expect(gateway.logs.join('')).not.toContain('uncaught')
    await world.expectNoLeaks()
  } finally {
    await world?.closeReplicas()
    await postgres.close()
  }
})

test('accepts a brief while the circuit is open and runs it after the circuit closes', async () => {
  const { presenton } = await openWithoutGateway({
    shape: 'A1',
    env: { BREAKER_MIN_CALLS: '1', BREAKER_ERROR_PERCENT: '1', BREAKER_RESET_SECONDS: '1' },
  })
  await world.openReplica()
  const user = await world.createUser()
  await user.generate()
  presenton.faults.inject('create:503', { times: Number.POSITIVE_INFINITY })
  const first = await user.submit()
  const reader = await user.subscribe(first.id)
  await reader.until('status')
  const second = await user.post(brief)
  expect(second).toMatchObject({ status: 202, body: { status: 'queued' } })
  expect(await readHealth()).toMatchObject({
    status: 200,
    body: { status: 'degraded', checks: { presenton: { circuit: 'open' } } },
  })
  presenton.faults.clear()
  for (const id of [first.id, second.body.id])
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  await world.expectNoLeaks()
})
