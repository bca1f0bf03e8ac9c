// What the gateway leans on is away: at its start, and while it works. It starts all the same, says
// so, timing, and goes on.

import { afterEach, expect, test, vi } from 'vitest'
import { openPostgres } from '../sandbox/postgres.ts'
import { readLog } from './event-log-rules.ts'
import { brief } from './user.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

// Servers that stop and start take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 90_000 })

let world: World
afterEach(() => world.close())

/** A world whose gateway comes later. */
async function openWithoutGateway(options: WorldOptions = {}) {
  world = await openWorld({ replicas: 0, ...options })
  return world
}

async function health(path = '/health/ready') {
  const answer = await fetch(`${world.url}${path}`)
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> }
}

test('without Presenton the gateway starts, is degraded, accepts briefs, and its runs wait until Presenton is there', async () => {
  const { presenton } = await openWithoutGateway({ shape: 'B1' })
  await presenton.faults.down()
  await world.openReplica()
  expect(await health('/health/live')).toEqual({ status: 200, body: { status: 'ok' } })
  const degraded = await health()
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
  const waiting = await reader.until('status')
  expect(waiting.at(-1)?.data).toMatchObject({
    status: expect.any(String),
    code: 'UPSTREAM_UNAVAILABLE',
    run: 1,
  })
  expect(waiting.at(-1)?.data.retry_in_seconds).toBeGreaterThanOrEqual(1)
  expect(waiting.at(-1)?.data.retry_in_seconds).toBeLessThanOrEqual(30)
  expect(await user.read(id)).toMatchObject({ status: 'running', error: null })

  await presenton.faults.up()
  const log = readLog([...waiting, ...(await reader.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(log.stages).toEqual(['create', 'outlines', 'prepare', 'slides', 'export', 'store'])
  await vi.waitFor(
    async () => expect(await health()).toMatchObject({ status: 200, body: { status: 'ok' } }),
    { timeout: 15_000 },
  )
  await world.expectNoLeaks()
})

test('without the object store the gateway starts, makes the deck, and waits with the file until the store is there', async () => {
  const { objects, presenton } = await openWithoutGateway({ shape: 'A1' })
  await objects.down()
  await world.openReplica()
  expect(await health()).toMatchObject({ status: 200, body: { status: 'degraded' } })

  const user = await world.createUser()
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  const waiting = await reader.until('status')
  while (waiting.at(-1)?.data.code === undefined) waiting.push(...(await reader.until('status')))
  expect(waiting.at(-1)?.data).toMatchObject({
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
  const log = readLog([...waiting, ...(await reader.rest())])
  const file = await fetch(log.terminal.download.url)
  expect(file.status).toBe(200)
  expect((await file.arrayBuffer()).byteLength).toBe(log.terminal.download.size_bytes)
  // Waiting for the store makes nobody work again.
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  await world.expectNoLeaks()
})

test('without Postgres the gateway lives but is not ready; it becomes so by itself, and streams outlive a restart', async () => {
  const postgres = await openPostgres()
  try {
    const url = await postgres.createDatabase('journey')
    await postgres.stop()
    await openWithoutGateway({
      database: { url, close: () => postgres.close() },
      env: { SSE_HEARTBEAT_SECONDS: '1' },
    })
    const gateway = await world.openReplica({}, { waitUntilReady: false })
    expect(await health('/health/live')).toEqual({ status: 200, body: { status: 'ok' } })
    expect(await health()).toMatchObject({
      status: 503,
      body: { status: 'down', checks: { database: { status: 'unavailable' } } },
    })

    const user = await world.createUser()
    const refused = await user.post()
    expect(refused).toMatchObject({ status: 503, body: { code: 'DATABASE_UNAVAILABLE' } })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    // A browser's EventSource would never come back from a 503.
    const early = await user.subscribe('00000000-0000-4000-8000-000000000000')
    expect(early.status).toBe(200)
    expect(await early.rest()).toEqual([])
    expect(early.retry).toBeGreaterThanOrEqual(2_500)

    await postgres.start()
    await vi.waitFor(async () => expect(await health()).toMatchObject({ status: 200 }), {
      timeout: 15_000,
      interval: 50,
    })
    await vi.waitFor(async () => expect(await user.post()).toMatchObject({ status: 202 }), {
      timeout: 15_000,
      interval: 50,
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
      .poll(() => reader.comments, { timeout: 5_000, interval: 50 })
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

test('a brief is accepted while the circuit is open, and runs when it closes', async () => {
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
  expect(await health()).toMatchObject({
    status: 200,
    body: { status: 'degraded', checks: { presenton: { circuit: 'open' } } },
  })
  presenton.faults.clear()
  for (const id of [first.id, second.body.id])
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  await world.expectNoLeaks()
})
