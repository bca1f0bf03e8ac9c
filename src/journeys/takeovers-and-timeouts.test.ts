// Lost leases, repeated takeovers and run timeouts: a worker that lost its lease writes nothing,
// and every run ends within its limits.

import pg from 'pg'
import { afterEach, expect, test } from 'vitest'
import type { SpawnedGateway } from '../sandbox/gateway.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { readLog } from './event-log-rules.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

let world: World
afterEach(() => world.close())

const tables = ['presentations', 'leases', 'events', 'files', 'uploads', 'decks', 'ledger']

/** All rows of the gateway, and the number of write requests to the store. */
async function snapshot() {
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

async function openWorldWithShortLeases(env: WorldOptions['env'] = {}) {
  world = await openWorld({
    replicas: 0,
    env: { LEASE_SECONDS: '1', MAX_RUNNING: '8', MAX_RUNNING_PER_USER: '8', ...env },
  })
  return world
}

test('a worker that is paused past its lease, in any stage, writes nothing when it resumes', async () => {
  const { presenton } = await openWorldWithShortLeases()
  const { gates } = presenton
  const points = [
    'create',
    'outlines:chunk',
    'prepare',
    'slides:slide',
    'export:work',
    'file:part',
  ] as const
  const paused = await world.spawnReplica()
  const user = await world.createUser()
  const ids: string[] = []
  // Holds one run in each stage, the last stage first, so that each run passes the earlier gates.
  for (const point of [...points].reverse()) {
    gates.hold(point)
    ids.push((await user.post(undefined, {}, paused.url)).body.id)
    await gates.arrived(point)
  }
  await paused.kill('SIGSTOP')
  const nextReplica = await world.openReplica()
  await waitFor(async () => {
    const [held] = await world.query<{ n: string }>(
      'select count(*) as n from gateway.presentations where takeovers = 1',
    )
    expect(Number(held?.n)).toBe(points.length)
  })
  gates.releaseAll()
  for (const id of ids)
    expect(await user.waitUntilSettled(id, nextReplica.url)).toMatchObject({
      status: 'completed',
      run: 1,
    })
  const spent = { ...presenton.spend }
  const before = await snapshot()
  await paused.kill('SIGCONT')
  await waitFor(() => expect(lostLeases(paused)).toBe(points.length))
  await waitFor(() => expect(presenton.openRequests).toBe(0))
  expect(presenton.spend).toEqual(spent)
  const after = await snapshot()
  // A deck that the paused worker had just created may be recorded, so that it is removed upstream.
  const { decks: decksAfter, ...rowsAfter } = after.rows
  const { decks: decksBefore, ...rowsBefore } = before.rows
  expect(rowsAfter).toEqual(rowsBefore)
  expect(decksAfter!.length - decksBefore!.length).toBeLessThanOrEqual(1)
  expect(after.writes).toBe(before.writes)
  for (const id of ids)
    readLog(await (await user.subscribe(id, { baseUrl: nextReplica.url })).rest())
  await paused.kill()
  await world.expectNoLeaks()
}, 120_000)

test('a run survives five takeovers and fails at the sixth', async () => {
  const { presenton } = await openWorldWithShortLeases({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('create')
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  for (let takeover = 0; takeover <= 5; takeover += 1) {
    const attempt = (await reader.until('stage')).at(-1)?.data.attempt
    expect(attempt).toBe(takeover + 1)
    // The same state as after a crash: an expired lease of an unknown holder.
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
  }
  const end = (await reader.rest()).at(-1)
  expect(end?.data).toMatchObject({ type: 'error', code: 'INTERRUPTED', retryable: true, run: 1 })
  expect(await user.read(id)).toMatchObject({ status: 'failed', error: { code: 'INTERRUPTED' } })
  presenton.gates.release('create')
  await world.expectNoLeaks()
})

test('a run opens at most three slide streams, even after many takeovers', async () => {
  const { presenton } = await openWorldWithShortLeases({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  for (let stream = 1; stream <= 3; stream += 1) {
    await presenton.gates.arrived('slides:slide', stream)
    await world.query(
      `update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )
  }
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'UPSTREAM_ERROR' },
  })
  expect(presenton.spend).toEqual({ outlines: 1, prepares: 4, slideStreams: 3, exports: 0 })
  await world.expectNoLeaks()
})

test('a run that exceeds its timeout fails and closes its upstream connection', async () => {
  const { presenton } = await openWorldWithShortLeases({
    RUN_TIMEOUT_SECONDS: '2',
    LEASE_SECONDS: '60',
  })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  const reader = await user.subscribe(id)
  const log = readLog(await reader.rest())
  expect(log.terminal).toMatchObject({ type: 'error', code: 'RUN_TIMEOUT' })
  await waitFor(() => expect(presenton.openRequests).toBe(0))
  await world.expectNoLeaks()
})

test('the run timeout counts from the first claim, also after a takeover', async () => {
  const { presenton } = await openWorldWithShortLeases({
    RUN_TIMEOUT_SECONDS: '600',
    LEASE_SECONDS: '60',
  })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('create')
  const { id } = await user.submit()
  await presenton.gates.arrived('create')
  await world.query(
    `with old as (update gateway.presentations set run_started_at = now() - interval '1 hour' where id = $1)
     update gateway.leases set token = gen_random_uuid(), expires_at = now() - interval '1 second' where presentation_id = $1`,
    [id],
  )
  expect(await user.waitUntilSettled(id)).toMatchObject({
    status: 'failed',
    error: { code: 'RUN_TIMEOUT' },
  })
  await world.expectNoLeaks()
})

test('a worker that loses its lease during the file transfer writes nothing to the store', async () => {
  const { presenton, objects } = await openWorldWithShortLeases({ LEASE_SECONDS: '60' })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('file:part')
  const { id } = await user.submit()
  await presenton.gates.arrived('file:part')
  // Another holder has the lease. The worker notices at its next renewal or write.
  await world.query(
    'update gateway.leases set token = gen_random_uuid() where presentation_id = $1',
    [id],
  )
  presenton.gates.release('file:part')
  await waitFor(() => expect(presenton.openRequests).toBe(0))
  const hasLostLease = () =>
    world.gateways[0]!.logs.some(
      (line) => line.includes('"reason":"lease lost"') && line.includes(id),
    )
  await waitFor(() => expect(hasLostLease()).toBe(true))
  expect(
    objects.requests.filter(({ method, path }) => method === 'PUT' && path.includes(id)),
  ).toEqual([])
  expect(await user.api(`/presentations/${id}`, { method: 'DELETE' })).toMatchObject({
    status: 204,
  })
  await world.expectNoLeaks()
})

test('an exhausted connection pool does not cost a run its lease', async () => {
  const { presenton } = await openWorldWithShortLeases({ DATABASE_POOL_MAX: '1' })
  await world.openReplica()
  const user = await world.createUser()
  presenton.gates.hold('create')
  const { id } = await user.submit()
  await presenton.gates.arrived('create')
  const readLeaseEnd = async () =>
    (
      await world.query<{ end: Date }>(
        'select expires_at as end from gateway.leases where presentation_id = $1',
        [id],
      )
    )[0]!.end
  const other = new pg.Client({ connectionString: world.database.url })
  await other.connect()
  try {
    // The worker's next claim waits for this lock and holds the only pooled connection.
    await other.query('begin; lock table gateway.presentations')
    await waitFor(async () => {
      const waiting = await world.query(
        `select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`,
      )
      expect(waiting.length).toBeGreaterThan(0)
    })
    const before = await readLeaseEnd()
    await waitFor(async () =>
      expect((await readLeaseEnd()).getTime()).toBeGreaterThan(before.getTime()),
    )
  } finally {
    await other.end()
  }
  presenton.gates.release('create')
  expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed' })
  const [row] = await world.query('select takeovers from gateway.presentations where id = $1', [id])
  expect(row).toEqual({ takeovers: 0 })
  await world.expectNoLeaks()
})
