// Workers that were stopped and wake up after others have taken over, runs that are taken over too
// often, and runs whose time is up.

import pg from 'pg'
import { afterEach, expect, test, vi } from 'vitest'
import type { SpawnedGateway } from '../sandbox/gateway.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(() => world.close())

const tables = ['presentations', 'leases', 'events', 'files', 'uploads', 'decks', 'ledger']

/** All rows of the gateway, and what was ever asked of the store that changes it. */
async function everything() {
  const rows = await Promise.all(
    tables.map(async (table) =>
      (await world.query(`select t::text as row from gateway.${table} t order by 1`)).map(
        ({ row }) => row,
      ),
    ),
  )
  const writes = world.objects.requests.filter(
    ({ method }) => method !== 'GET' && method !== 'HEAD',
  )
  return {
    rows: Object.fromEntries(tables.map((table, index) => [table, rows[index]])),
    writes: writes.length,
  }
}

const lostLeases = ({ logs }: SpawnedGateway) =>
  logs.filter((line) => line.includes('"reason":"lease lost"')).length

async function openForStop(env: WorldOptions['env'] = {}) {
  world = await openWorld({
    replicas: 0,
    env: { LEASE_SECONDS: '1', MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8', ...env },
  })
  return world
}

test('a worker that was stopped past its lease, in any stage, changes nothing when it goes on', async () => {
  const { presenton } = await openForStop()
  const { gates } = presenton
  const points = [
    'create',
    'outlines:chunk',
    'prepare',
    'slides:slide',
    'export:work',
    'file:part',
  ] as const
  const stopped = await world.spawnReplica()
  const user = await world.user()
  const ids: string[] = []
  // One run waits in each stage: those that come later are let through the gates before theirs.
  for (const point of [...points].reverse()) {
    gates.hold(point)
    ids.push((await user.post(undefined, {}, stopped.url)).body.id)
    await gates.arrived(point)
  }
  await stopped.kill('SIGSTOP')
  const heir = await world.openReplica()
  await vi.waitFor(async () => {
    const [held] = await world.query<{ n: string }>(
      'select count(*) as n from gateway.presentations where takeovers = 1',
    )
    expect(Number(held?.n)).toBe(points.length)
  }, 5_000)
  gates.releaseAll()
  for (const id of ids)
    expect(await user.settled(id, heir.url)).toMatchObject({ status: 'completed', run: 1 })
  const spent = { ...presenton.spend }
  const before = await everything()

  await stopped.kill('SIGCONT')
  await vi.waitFor(() => expect(lostLeases(stopped)).toBe(points.length), 5_000)
  await vi.waitFor(() => expect(presenton.openRequests).toBe(0), 5_000)
  expect(presenton.spend).toEqual(spent)
  const after = await everything()
  // A deck that it had just made is nobody's: that is noted, so that it is removed upstream.
  const { decks: made, ...changed } = after.rows
  const { decks, ...had } = before.rows
  expect(changed).toEqual(had)
  expect(made!.length - decks!.length).toBeLessThanOrEqual(1)
  expect(after.writes).toBe(before.writes)
  for (const id of ids) readLog(await (await user.follow(id, { at: heir.url })).rest())
  await stopped.kill()
  await world.expectNothingLeft()
}, 90_000)

test('five takeovers are survived, the sixth ends the run', async () => {
  const { presenton } = await openForStop({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('create')
  const { id } = await user.accept()
  const reader = await user.follow(id)
  for (let takeover = 0; takeover <= 5; takeover += 1) {
    const attempt = (await reader.until('stage')).at(-1)?.data.attempt
    expect(attempt).toBe(takeover + 1)
    // As a crash leaves it: with the token of somebody who is not there any more.
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
  }
  const end = (await reader.rest()).at(-1)
  expect(end?.data).toMatchObject({ type: 'error', code: 'INTERRUPTED', retryable: true, run: 1 })
  expect(await user.read(id)).toMatchObject({ status: 'failed', error: { code: 'INTERRUPTED' } })
  presenton.gates.release('create')
  await world.expectNothingLeft()
})

test('slides are asked for three times in a run at the most, however often its worker is lost', async () => {
  const { presenton } = await openForStop({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('slides:slide')
  const { id } = await user.accept()
  for (let stream = 1; stream <= 3; stream += 1) {
    await presenton.gates.arrived('slides:slide', stream)
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
  }
  expect(await user.settled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR' },
  })
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 4, slideStreams: 3, exports: 0 })
  await world.expectNothingLeft()
})

test('a run whose time is up ends, and its upstream connection with it', async () => {
  const { presenton } = await openForStop({ RUN_TIMEOUT_SECONDS: '2', LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('slides:slide')
  const { id } = await user.accept()
  const reader = await user.follow(id)
  const log = readLog(await reader.rest())
  expect(log.terminal).toMatchObject({ type: 'error', code: 'RUN_TIMEOUT' })
  await vi.waitFor(() => expect(presenton.openRequests).toBe(0))
  await world.expectNothingLeft()
})

test('the clock of a run counts from its first claim: taken over when its time is up, it gets no more of it', async () => {
  const { presenton } = await openForStop({ RUN_TIMEOUT_SECONDS: '600', LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('create')
  const { id } = await user.accept()
  await presenton.gates.arrived('create')
  await world.query(
    `with old as (update gateway.presentations set run_started_at = now() - interval '1 hour' where id = $1)
     update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
    [id],
  )
  expect(await user.settled(id)).toMatchObject({ status: 'failed', error: { code: 'RUN_TIMEOUT' } })
  await world.expectNothingLeft()
})

test('a worker that lost its run while the file was on its way puts nothing into the store', async () => {
  const { presenton, objects } = await openForStop({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('file:part')
  const { id } = await user.accept()
  await presenton.gates.arrived('file:part')
  // Somebody else holds it now, and its holder of before hears of that only by and by.
  await world.query(
    'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
    [id],
  )
  presenton.gates.release('file:part')
  await vi.waitFor(() => expect(presenton.openRequests).toBe(0))
  const gone = () =>
    world.gateways[0]!.logs.some(
      (line) => line.includes('"reason":"lease lost"') && line.includes(id),
    )
  await vi.waitFor(() => expect(gone()).toBe(true), 5_000)
  expect(
    objects.requests.filter(({ method, path }) => method === 'PUT' && path.includes(id)),
  ).toEqual([])
  expect(await user.api(`/presentations/${id}`, { method: 'DELETE' })).toMatchObject({
    status: 204,
  })
  await world.expectNothingLeft()
})

test('a pool that is taken to its last connection costs no run its lease', async () => {
  const { presenton } = await openForStop({ DATABASE_POOL_MAX: '1' })
  await world.openReplica()
  const user = await world.user()
  presenton.gates.hold('create')
  const { id } = await user.accept()
  await presenton.gates.arrived('create')
  const leaseEnd = async () =>
    (
      await world.query<{ end: Date }>(
        'select expires_at as end from gateway.leases where presentation_id = $1',
        [id],
      )
    )[0]!.end
  const other = new pg.Client({ connectionString: world.database.url })
  await other.connect()
  try {
    // Whoever looks for work waits here, with the only connection in its hand.
    await other.query('begin; lock table gateway.presentations')
    await vi.waitFor(async () => {
      const waiting = await world.query(
        `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
      expect(waiting.length).toBeGreaterThan(0)
    }, 5_000)
    const before = await leaseEnd()
    await vi.waitFor(
      async () => expect((await leaseEnd()).getTime()).toBeGreaterThan(before.getTime()),
      4_000,
    )
  } finally {
    await other.end()
  }
  presenton.gates.release('create')
  expect(await user.settled(id)).toMatchObject({ status: 'completed' })
  const [row] = await world.query('select takeovers from gateway.presentations where id = $1', [id])
  expect(row).toEqual({ takeovers: 0 })
  await world.expectNothingLeft()
})
