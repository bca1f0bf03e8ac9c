// Replicas that die, and replicas that are asked to end: others go on with their runs, readers come
// back with their id, and nothing that was finished is paid for again.

import { afterEach, expect, test, vi } from 'vitest'
import type { StreamEvent } from '../sandbox/reader.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World } from './world.ts'

const leaseSeconds = 1

// Processes that start and die take their time on a machine that is busy with other tests.
vi.setConfig({ testTimeout: 90_000 })

let world: World
afterEach(() => world.close())

async function openForCrash() {
  world = await openWorld({
    replicas: 0,
    env: { LEASE_SECONDS: String(leaseSeconds), MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8' },
  })
  return world
}

test('after kill -9 in the middle of the slides another replica goes on, and readers resume there with their id', async () => {
  const { presenton } = await openForCrash()
  const doomed = await world.spawnReplica()
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const posted = await user.post(undefined, {}, doomed.url)
  const { id } = posted.body
  await presenton.gates.arrived('slides:slide')
  presenton.gates.release('slides:slide', 1)
  await presenton.gates.arrived('slides:slide', 2)
  const heir = await world.openReplica()

  const reader = await user.subscribe(id, { baseUrl: doomed.url })
  const read: StreamEvent[] = []
  do read.push(await reader.expectNext())
  while (!('slide_index' in read.at(-1)!.data))
  const killedAt = performance.now()
  await doomed.kill()
  expect(await reader.ended).toBe('broken')

  const resumed = await user.subscribe(id, { baseUrl: heir.url, lastEventId: read.at(-1)!.id! })
  const first = await resumed.expectNext()
  // The lease has to run out, and no longer than that and a moment.
  expect(performance.now() - killedAt).toBeLessThan(leaseSeconds * 1000 + 2_500)
  expect(first.data).toMatchObject({ type: 'stage', attempt: 2 })
  presenton.gates.release('slides:slide')
  const log = readLog([...read, first, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(log.slides).toHaveLength(3)
  expect(log.slides).toEqual(log.terminal.presentation.slides)
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 2, slideStreams: 2, exports: 1 })
  expect(await user.waitUntilSettled(id, heir.url)).toMatchObject({ status: 'completed', run: 1 })
  await world.expectNoLeaks()
})

test('a replica that dies with runs in every stage loses none, and only what was under way is done again', async () => {
  const { presenton } = await openForCrash()
  const { gates, spend } = presenton
  const doomed = await world.spawnReplica()
  const user = await world.createUser()
  const ids: string[] = []
  // The furthest first: each stops at a point that those before it have passed.
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
    ids.push((await user.post(undefined, {}, doomed.url)).body.id)
    await gates.arrived(point)
  }
  const before = { ...spend }
  expect(before).toEqual({ outlines: 6, prepares: 4, slideStreams: 4, exports: 2 })
  await doomed.kill()
  const heir = await world.openReplica()
  gates.releaseAll()
  for (const id of ids)
    expect(await user.waitUntilSettled(id, heir.url)).toMatchObject({
      status: 'completed',
      run: 1,
      slides_done: 3,
    })
  for (const id of ids) readLog(await (await user.subscribe(id)).rest())
  // Again: the outlines, the slides and the export that were cut, and a prepare for the fresh deck
  // of those slides.
  expect(spend).toEqual({ outlines: 7 + 1, prepares: 7 + 1, slideStreams: 7 + 1, exports: 7 + 1 })
  await world.expectNoLeaks()
})

test('a run that loses its worker again and again is ended by the sixth takeover', async () => {
  const { presenton } = await openForCrash()
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
    // As if a worker had died elsewhere: its token stands, its time is over.
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
    await expect.poll(takeovers, { timeout: 10_000, interval: 20 }).toBe(n)
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

test('a replica that is asked to end closes its streams after a whole event, hands its run over, and exits with 0', async () => {
  const { presenton } = await openForCrash()
  const leaving = await world.spawnReplica({ LEASE_SECONDS: '60' })
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, leaving.url)).body
  await presenton.gates.arrived('slides:slide')
  const reader = await user.subscribe(id, { baseUrl: leaving.url })
  const read = await reader.until('outlines')
  const heir = await world.openReplica()

  const ended = leaving.kill('SIGTERM')
  read.push(...(await reader.rest()))
  expect(await reader.ended).toBe('clean')
  expect(reader.retry).toBeGreaterThan(0)
  await ended
  expect(await leaving.exited).toEqual({ code: 0, signal: null })

  // Handed over, not left to run out: a lease of a minute keeps nobody waiting.
  const resumed = await user.subscribe(id, { baseUrl: heir.url, lastEventId: read.at(-1)!.id! })
  presenton.gates.release('slides:slide')
  const log = readLog([...read, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(presenton.spend).toMatchObject({ outlines: 1, exports: 1 })
  await world.expectNoLeaks()
})

test('a replica that may drain finishes what is being paid for, is not ready meanwhile, and sends nobody away', async () => {
  const { presenton } = await openForCrash()
  const leaving = await world.spawnReplica({ DRAIN_SECONDS: '20' })
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = (await user.post(undefined, {}, leaving.url)).body
  await presenton.gates.arrived('slides:slide')
  const reader = await user.subscribe(id, { baseUrl: leaving.url })
  const read = await reader.until('outlines')
  const ended = leaving.kill('SIGTERM')
  read.push(...(await reader.rest()))
  expect(await reader.ended).toBe('clean')

  const ready = await fetch(`${leaving.url}/health/ready`)
  expect({ status: ready.status, body: await ready.json() }).toMatchObject({
    status: 503,
    body: { status: 'down' },
  })
  const turnedAway = await user.subscribe(id, {
    baseUrl: leaving.url,
    lastEventId: read.at(-1)!.id!,
  })
  expect(turnedAway.status).toBe(200)
  expect(await turnedAway.rest()).toEqual([])
  expect(turnedAway.retry).toBeGreaterThan(0)

  presenton.gates.release('slides:slide')
  await ended
  expect(await leaving.exited).toEqual({ code: 0, signal: null })
  const heir = await world.openReplica()
  const resumed = await user.subscribe(id, { baseUrl: heir.url, lastEventId: read.at(-1)!.id! })
  const log = readLog([...read, ...(await resumed.rest())])
  expect(log.terminal.type).toBe('complete')
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 1, slideStreams: 1, exports: 1 })
  await world.expectNoLeaks()
})
