// Progress of presentations that wait, are cancelled and retried; limits of a replica; metrics.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type Socket, UpgradeRefused } from '../sandbox/socket.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
const sockets: Socket[] = []
beforeAll(async () => {
  // Nothing takes runs from the queue unless a test starts a worker.
  world = await openWorld({ env: { WORKER: 'false' } })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
})
afterAll(() => world.close())

async function open(user: User, path: string, url = world.url): Promise<Socket> {
  const socket = await openSocket(`${url}/api/v1/realtime${path}`, { token: user.token })
  sockets.push(socket)
  return socket
}

async function follow(user: User, id: string) {
  const socket = await open(user, `/generation/${id}`)
  await socket.expectNext('connected')
  return socket
}

test('shows the place in the queue as it changes, a cancelled end, and the start of the retry', async () => {
  const user = await world.createUser()
  const [first, second] = [await user.submit(), await user.submit()]
  const [one, two] = [await follow(user, first.id), await follow(user, second.id)]
  for (const [socket, place] of [
    [one, 1],
    [two, 2],
  ] as const)
    expect((await socket.expectNext('job_progress')).data).toMatchObject({
      status: 'queued',
      stage: null,
      progress: 0,
      current_step: 'Waiting in the queue',
      message: `Place ${place} in the queue`,
      queue_position: place,
    })
  await user.api(`/presentations/${first.id}/cancel`, { method: 'POST' })
  expect((await one.expectNext('job_progress')).data).toMatchObject({
    status: 'cancelled',
    queue_position: null,
    error: { code: 'CANCELLED' },
  })
  expect((await two.expectNext('job_progress')).data).toMatchObject({ queue_position: 1 })
  await user.api(`/presentations/${first.id}/retry`, { method: 'POST' })
  expect((await one.expectNext('job_progress')).data).toMatchObject({
    status: 'queued',
    queue_position: 2,
    error: null,
  })
  for (const { id } of [first, second]) await user.api(`/presentations/${id}`, { method: 'DELETE' })
})

test('an event stream of a cancelled presentation ends, and continues as a whole after a retry', async () => {
  const user = await world.createUser()
  const { id } = await user.submit()
  const url = `${world.url}/api/v1/realtime/sse/generation/${id}`
  const stream = await openReader(url, { token: user.token })
  await stream.until('job_progress')
  await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  expect((await stream.rest()).at(-1)?.data.data).toMatchObject({ status: 'cancelled' })
  expect((await openReader(url, { token: user.token, lastEventId: 3 })).status).toBe(204)
  await user.api(`/presentations/${id}/retry`, { method: 'POST' })
  const again = await openReader(url, { token: user.token, lastEventId: 3 })
  expect((await again.until('job_progress')).map(({ data }) => data.type)).toEqual([
    'connected',
    'job_progress',
  ])
  again.close()
  await user.api(`/presentations/${id}`, { method: 'DELETE' })
})

test('MAX_WEBSOCKETS limits all users of a replica together, over both kinds', async () => {
  const replica = await world.openReplica({ MAX_WEBSOCKETS: '2' })
  const [alice, bob, carol] = [
    await world.createUser(),
    await world.createUser(),
    await world.createUser(),
  ]
  const { id } = await alice.submit()
  const first = await open(alice, `/generation/${id}`, replica.url)
  await open(bob, '/notifications', replica.url)
  for (const [user, path] of [
    [carol, '/notifications'],
    [alice, `/generation/${id}`],
  ] as const) {
    const refused = await open(user, path, replica.url).catch((error: unknown) => error)
    if (!(refused instanceof UpgradeRefused)) throw new Error('the upgrade was not refused')
    expect(refused.response.status).toBe(429)
    expect(JSON.parse(refused.response.text)).toMatchObject({ code: 'TOO_MANY_CONNECTIONS' })
  }
  await first.close()
  await expect
    .poll(async () => (await fetch(`${replica.url}/metrics`)).text())
    .toContain('gateway_websockets{kind="generation"} 0')
  const carols = await open(carol, '/notifications', replica.url)
  await carols.expectNext('connected')
  const metrics = async () => (await fetch(`${replica.url}/metrics`)).text()
  expect(await metrics()).toContain('gateway_websockets{kind="notifications"} 2')
  const count = async (direction: 'in' | 'out') =>
    Number(
      new RegExp(
        `^gateway_websocket_messages_total\\{direction="${direction}"\\} (\\d+)`,
        'm',
      ).exec(await metrics())?.[1],
    )
  const before = [await count('in'), await count('out')]
  for (let n = 0; n < 5; n += 1) carols.send({ type: 'ping' })
  for (let n = 0; n < 5; n += 1) await carols.expectNext('pong')
  expect([await count('in'), await count('out')]).toEqual(before.map((value) => value + 5))
  await alice.api(`/presentations/${id}`, { method: 'DELETE' })
})

test('WEBSOCKET_MESSAGES_PER_SECOND limits what a client sends, and WEBSOCKET_BUFFER_KIB what it leaves', async () => {
  const replica = await world.openReplica({
    WEBSOCKET_MESSAGES_PER_SECOND: '2',
    WEBSOCKET_BUFFER_KIB: '1',
  })
  const user = await world.createUser()
  const socket = await open(user, '/notifications', replica.url)
  await socket.expectNext('connected')
  for (let n = 0; n < 40; n += 1) socket.send({ type: 'ping', request_id: String(n) })
  // Six at once; more only if this machine needs over half a second for forty.
  for (let n = 0; n < 6; n += 1)
    expect(await socket.expectNext('pong')).toMatchObject({ request_id: String(n) })
  const errors = await socket.until(({ type }) => type === 'error')
  expect(errors.at(-1)).toMatchObject({ error_code: 'RATE_LIMIT_EXCEEDED', details: {} })
  expect(errors.at(-1)).not.toHaveProperty('request_id')
  // Pongs that it does not take fill the sockets, then the buffer.
  socket.pause()
  for (let n = 0; socket.socket.bufferedAmount === 0 && n < 200_000; n += 1) {
    socket.socket.ping('x'.repeat(125))
    if (n % 1_000 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  await expect
    .poll(async () => (await fetch(`${replica.url}/metrics`)).text(), { timeout: 30_000 })
    .toContain('gateway_websockets{kind="notifications"} 0')
  await world.closeReplica(replica)
})
