// Crashed replicas and replicas that shut down: another one continues their runs, readers resume
// with their last event id, and no finished stage is paid for again.

import { afterEach, expect, test, vi } from 'vitest'
import type { StreamEvent } from '../sandbox/reader.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

const leaseSeconds = 1

// Starting and stopping processes takes long on a busy machine.
vi.setConfig({ testTimeout: 120_000 })

let world: World
afterEach(() => world.close())

async function openWithShortLease() {
  world = await openWorld({
    replicas: 0,
    env: { LEASE_SECONDS: String(leaseSeconds), MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8' },
  })
  return world
}

test('after kill -9 during the slides another replica takes over, and readers resume there with their last event id', async () => {
  const { presenton } = await openWithShortLease()
  const crashing = await world.spawnReplica()
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const posted = await user.post(undefined, {}, crashing.url)
  const { id } = posted.body
  await presenton.gates.arrived('slides:slide')
  presenton.gates.release('slides:slide', 1)
  await presenton.gates.arrived('slides:slide', 2)
  const nextHolder = await world.openReplica()

  const reader = await user.subscribe(id, { baseUrl: crashing.url })
  const received: StreamEvent[] = []
  do received.push(await reader.expectNext())
  while (!('slide_index' in received.at(-1)!.data))
  const killedMs = performance.now()
  await crashing.kill()
  expect(await reader.ended).toBe('broken')

  const resumed = await user.subscribe(id, {
    baseUrl: nextHolder.url,
    lastEventId: received.at(-1)!.id!,
  })
  const first = await resumed.expectNext()
  // The takeover waits for the lease to expire; a minute allows for a busy machine.
  expect(performance.now() - killedMs).toBeLessThan(leaseSeconds * 1000 + 60_000)
  expect(first.data).toMatchObject({ type: 'stage', attempt: 2 })
  presenton.gates.release('slides:slide')
  const log = readLog([...received, first, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(log.slides).toHaveLength(3)
  expect(log.slides).toEqual(log.terminal.presentation.slides)
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  expect(await user.waitUntilSettled(id, nextHolder.url)).toMatchObject({
    status: 'completed',
    run: 1,
  })
  await world.expectNoLeaks()
})

test('after kill -9 with a run in each stage every run completes, and only interrupted stages are repeated', async () => {
  const { presenton } = await openWithShortLease()
  const { gates, spend } = presenton
  const crashing = await world.spawnReplica()
  const user = await world.createUser()
  const ids: string[] = []
  // Last stage first: each run is held at a point that the earlier runs have passed.
  const points = [
    'file',
    'export:work',
    'slides:saved',
    'slides:slide',
    'prepare',
    'outlines:chunk',
    'create',
  ] as const
  for (const point of points) {
    gates.hold(point)
    ids.push((await user.post(undefined, {}, crashing.url)).body.id)
    await gates.arrived(point)
  }
  const before = { ...spend }
  expect(before).toEqual({ outlines: 6, prepares: 4, slideStreams: 4, exports: 2 })
  await crashing.kill()
  const nextHolder = await world.openReplica()
  gates.releaseAll()
  for (const id of ids)
    expect(await user.waitUntilSettled(id, nextHolder.url)).toMatchObject({
      status: 'completed',
      run: 1,
      slides_done: 3,
    })
  for (const id of ids) readLog(await (await user.subscribe(id)).rest())
  // Repeated: the interrupted outlines, slides and export, and a prepare for the new deck of those
  // slides.
  expect(spend).toEqual({ outlines: 7 + 1, prepares: 7 + 1, slideStreams: 7 + 1, exports: 7 + 1 })
  await world.expectNoLeaks()
})

test('the sixth takeover fails the run with INTERRUPTED', async () => {
  const { presenton } = await openWithShortLease()
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('create')
  const { id } = await user.submit()
  const takeovers = async () => {
    const [row] = await world.query<{ takeovers: number }>(
      'select takeovers from gateway.presentations where id = $1',
      [id],
    )
    return row?.takeovers
  }
  for (let n = 1; n <= 6; n++) {
    await presenton.gates.arrived('create', n)
    // As after a crash of another worker: a lease with a token, but expired.
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
    await expect.poll(takeovers, { timeout: 60_000, interval: 20 }).toBe(n)
  }
  const log = readLog(await (await user.subscribe(id)).rest())
  expect(log.stages).toEqual(Array.from({ length: 6 }, () => 'create'))
  expect(log.terminal).toMatchObject({ type: 'error', code: 'INTERRUPTED', retryable: true })
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'INTERRUPTED' },
  })
  await world.expectNoLeaks()
})

test('on SIGTERM a replica ends its streams after a complete event, releases its run, and exits with 0', async () => {
  const { presenton } = await openWithShortLease()
  const closing = await world.spawnReplica({ LEASE_SECONDS: '60' })
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, closing.url)).body
  await presenton.gates.arrived('slides:slide')
  const reader = await user.subscribe(id, { baseUrl: closing.url })
  const received = await reader.until('outlines')
  const nextHolder = await world.openReplica()

  const ended = closing.kill('SIGTERM')
  received.push(...(await reader.rest()))
  expect(await reader.ended).toBe('clean')
  expect(reader.retry).toBeGreaterThan(0)
  await ended
  expect(await closing.exited).toEqual({ code: 0, signal: null })

  // The lease of a minute was released: the next holder does not wait for it to expire.
  const resumed = await user.subscribe(id, {
    baseUrl: nextHolder.url,
    lastEventId: received.at(-1)!.id!,
  })
  presenton.gates.release('slides:slide')
  const log = readLog([...received, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(presenton.spend).toMatchObject({ outlines: 1, exports: 1 })
  await world.expectNoLeaks()
})

test('while it drains, a replica finishes the paid stage, is not ready, and lets new subscribers reconnect elsewhere', async () => {
  const { presenton } = await openWithShortLease()
  const closing = await world.spawnReplica({ DRAIN_SECONDS: '20' })
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, closing.url)).body
  await presenton.gates.arrived('slides:slide')
  const reader = await user.subscribe(id, { baseUrl: closing.url })
  const received = await reader.until('outlines')
  const ended = closing.kill('SIGTERM')
  received.push(...(await reader.rest()))
  expect(await reader.ended).toBe('clean')

  const ready = await fetch(`${closing.url}/health/ready`)
  expect({ status: ready.status, body: await ready.json() }).toMatchObject({
    status: 503,
    body: { status: 'down' },
  })
  const lateSubscriber = await user.subscribe(id, {
    baseUrl: closing.url,
    lastEventId: received.at(-1)!.id!,
  })
  expect(lateSubscriber.status).toBe(200)
  expect(await lateSubscriber.rest()).toEqual([])
  expect(lateSubscriber.retry).toBeGreaterThan(0)

  presenton.gates.release('slides:slide')
  await ended
  expect(await closing.exited).toEqual({ code: 0, signal: null })
  const nextHolder = await world.openReplica()
  const resumed = await user.subscribe(id, {
    baseUrl: nextHolder.url,
    lastEventId: received.at(-1)!.id!,
  })
  const log = readLog([...received, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  await world.expectNoLeaks()
})
