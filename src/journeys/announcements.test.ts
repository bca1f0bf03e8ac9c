// What operators do on their port: announcements to everybody, and statistics.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { findFreePort } from '../sandbox/ports.ts'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type ReceivedMessage, type Socket } from '../sandbox/socket.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let opsUrl: string
/** Of the same replica, for users. */
let otherUrl: string
let readOpsMetrics: () => Promise<string>
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld()
  const port = await findFreePort()
  opsUrl = `http://127.0.0.1:${port}`
  // Another replica than the one that the users are connected to.
  otherUrl = (await world.spawnReplica({ OPS_PORT: String(port), WORKER: 'false' })).url
  readOpsMetrics = async () => (await fetch(`${opsUrl}/metrics`)).text()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
})
afterAll(() => world.close())

async function listen(user: User): Promise<Socket> {
  const socket = await openSocket(`${world.url}/api/v1/realtime/notifications`, {
    token: user.token,
  })
  sockets.push(socket)
  return socket
}

const announce = (body: unknown) =>
  fetch(`${opsUrl}/notifications`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

const maintenance = { title: 'Maintenance', message: 'Tonight at ten.', notification_type: 'info' }

test('reaches everybody in one row, also who comes later, and each reads and deletes it alone', async () => {
  const [alice, bob] = [await world.createUser('alice'), await world.createUser('bob')]
  const listening = [await listen(alice), await listen(bob)]
  for (const socket of listening) await socket.expectNext('connected')
  const response = await announce({ ...maintenance, action_url: '/status', action_text: 'Read' })
  expect(response.status).toBe(201)
  const { id, ...created } = (await response.json()) as Record<string, unknown>
  expect(created).toMatchObject({ ...maintenance, channel: 'general', priority: 'normal' })
  for (const socket of listening)
    expect(await socket.expectNext('notification')).toMatchObject({
      ...maintenance,
      id,
      channel: 'general',
      priority: 'normal',
      category: 'system',
      data: {},
      action_url: '/status',
      action_text: 'Read',
      read: false,
      unread: 1,
    })
  expect(await world.query('select 1 from gateway.notifications')).toHaveLength(1)
  expect(await readOpsMetrics()).toContain('gateway_notifications_total{type="info"} 1')

  const [ofAlice, ofBob] = listening
  ofAlice?.send({ type: 'mark_read', notification_id: id })
  expect(await ofAlice?.expectNext('marked_read')).toMatchObject({ unread: 0 })
  expect((await bob.api('/notifications')).body).toMatchObject({ unread: 1 })
  expect((await bob.api(`/notifications/${id}`, { method: 'DELETE' })).status).toBe(204)
  expect(await ofBob?.expectNext('notification_deleted')).toMatchObject({ unread: 0 })
  expect((await bob.api('/notifications')).body.items).toEqual([])
  expect((await alice.api('/notifications')).body.items).toMatchObject([{ id, read: true }])

  const late = await listen(await world.createUser('late'))
  expect(await late.expectNext('connected')).toMatchObject({ unread: 1 })
  expect(await late.expectNext('notification')).toMatchObject({ id, read: false })
})

test('a deletion on one replica reaches the connections of that user alone on another', async () => {
  const [user, other] = [await world.createUser(), await world.createUser()]
  const { id } = (await (await announce(maintenance)).json()) as { id: string }
  const sockets = [await listen(user), await listen(other)]
  const stream = await openReader(`${world.url}/api/v1/realtime/sse/notifications`, {
    token: user.token,
  })
  for (const socket of sockets) await socket.until((message) => message.id === id)
  while ((await stream.expectNext()).data.id !== id) {}
  const { unread } = (await user.api('/notifications')).body
  const deleted = await user.api(`/notifications/${id}`, { method: 'DELETE', baseUrl: otherUrl })
  expect(deleted.status).toBe(204)
  const message = { type: 'notification_deleted', notification_id: id, unread: unread - 1 }
  expect(await sockets[0]?.expectNext('notification_deleted')).toMatchObject(message)
  expect((await stream.expectNext('notification_deleted')).data).toMatchObject(message)
  stream.close()
  sockets[1]?.send({ type: 'ping' })
  await sockets[1]?.expectNext('pong')
  const again = { method: 'DELETE', baseUrl: world.url }
  expect((await user.api(`/notifications/${id}`, again)).status).toBe(404)
  expect((await other.api(`/notifications/${id}`, again)).status).toBe(204)
  const fresh = await listen(user)
  expect(await fresh.expectNext('connected')).toMatchObject({ unread: unread - 1 })
})

test('takes the members as given, and marks both channels up to one as read', async () => {
  const user = await world.createUser()
  const { id: presentationId } = await user.generate()
  const given = { ...maintenance, notification_type: 'warning', priority: 'low', category: 'news' }
  const first = await announce({ ...given, action_url: 'https://app.example/news' })
  expect(await first.json()).toMatchObject({ ...given, action_text: null })
  const second = (await (await announce(maintenance)).json()) as { id: string }
  await user.generate()
  const stream = await listen(user)
  const { unread } = await stream.expectNext('connected')
  const seen: ReceivedMessage[] = []
  for (let n = 0; n < unread; n += 1) seen.push(await stream.expectNext('notification'))
  expect(seen.map(({ timestamp }) => timestamp)).toEqual(
    seen.map(({ timestamp }) => timestamp).toSorted(),
  )
  const own = seen.find(({ data }) => data.presentation_id === presentationId)
  expect(seen.at(-3)).toMatchObject({ ...given, action_url: 'https://app.example/news' })
  const other = await listen(user)
  await other.until(({ id }) => id === seen.at(-1).id)
  stream.send({ type: 'mark_read', up_to: second.id, request_id: '1' })
  const marked = { type: 'notifications_read', up_to: second.id, unread: 1 }
  expect(await stream.expectNext('notifications_read')).toMatchObject(marked)
  expect(await other.expectNext('notifications_read')).toMatchObject(marked)
  const { items } = (await user.api('/notifications')).body
  for (const { id, read } of items) expect(read, id).toBe(id !== seen.at(-1).id)
  expect(items.map(({ id }: { id: string }) => id)).toContain(own.id)
})

test('what a channel had while it was off counts as delivered, also for the cursor', async () => {
  const user = await world.createUser()
  const socket = await listen(user)
  const { unread } = await socket.expectNext('connected')
  for (let n = 0; n < unread; n += 1) await socket.expectNext('notification')
  const change = async (type: string) => {
    socket.send({ type, channel: 'general' })
    return (await socket.next()).type
  }
  expect(await change('unsubscribe_channel')).toBe('channel_unsubscribed')
  const missed = (await (await announce(maintenance)).json()) as { id: string }
  // The own channel is still on.
  await user.generate()
  const own = await socket.expectNext('notification')
  expect(own.unread).toBe(unread + 2)
  expect(await change('subscribe_channel')).toBe('channel_subscribed')
  const next = (await (await announce(maintenance)).json()) as { id: string }
  const { id, cursor } = await socket.expectNext('notification')
  expect(id).toBe(next.id)
  const resumed = await openSocket(
    `${world.url}/api/v1/realtime/notifications?last_event_id=${cursor}`,
    { token: user.token },
  )
  sockets.push(resumed)
  await resumed.expectNext('connected')
  resumed.send({ type: 'ping' })
  await resumed.expectNext('pong')
  // It is still unread, and in the list.
  const { items } = (await user.api('/notifications?unread=true')).body
  expect(items.map((item: { id: string }) => item.id)).toContain(missed.id)
})

test('refuses an invalid announcement', async () => {
  const refused: Record<string, unknown>[] = [
    { title: 'x'.repeat(201) },
    { title: '' },
    { message: 'x'.repeat(2_001) },
    { notification_type: 'other' },
    { priority: 'urgent' },
    { category: 'x'.repeat(41) },
    { action_text: 'x'.repeat(61) },
    { action_url: 'http://app.example' },
    { action_url: '//evil.example' },
    { action_url: '/\\evil.example' },
    { action_url: '/a\\b' },
    { action_url: 'https:\\\\evil.example' },
    { action_url: 'javascript:alert(1)' },
    { action_url: 'status' },
    { action_url: '' },
    { more: 1 },
  ]
  for (const change of refused) {
    const response = await announce({ ...maintenance, ...change })
    expect(response.status, JSON.stringify(change)).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'VALIDATION_FAILED' })
  }
  for (const body of [{}, [], { title: 'x' }]) expect((await announce(body)).status).toBe(400)
  expect((await announce({ ...maintenance, action_url: 'https://app.example/a?b=c' })).status).toBe(
    201,
  )
  // Only there: the public port has no such route.
  const user = await world.createUser()
  expect((await user.api(`${world.url}/notifications`, { method: 'POST', body: {} })).status).toBe(
    404,
  )
})

test('has statistics of connections and runs, on the public port only where that is switched on', async () => {
  const user = await world.createUser()
  expect((await user.api('/realtime/stats')).status).toBe(404)
  const open = await world.openReplica({ REALTIME_STATS: 'true' })
  const { id } = await user.generate()
  const headers = { authorization: `Bearer ${user.token}` }
  world.presenton.gates.hold('slides:slide')
  const running = await user.submit()
  await world.presenton.gates.arrived('slides:slide')
  const [first, second] = await Promise.all(
    [id, running.id].map((job) =>
      openSocket(`${open.url}/api/v1/realtime/generation/${job}`, { token: user.token }),
    ),
  )
  if (!first || !second) throw new Error('no WebSocket was opened')
  sockets.push(first, second)
  for (const socket of [first, second]) await socket.until(({ type }) => type === 'job_progress')
  first.send({ type: 'subscribe_job', job_id: running.id })
  await first.until(({ type }) => type === 'job_progress')
  const listening = await openReader(`${open.url}/api/v1/realtime/sse/notifications`, {
    token: user.token,
  })
  await listening.expectNext('connected')
  // Not by `user.api`: only a gateway with this switch describes the route.
  const response = await fetch(`${open.url}/api/v1/realtime/stats`, { headers })
  expect(response.status).toBe(200)
  const body = (await response.json()) as object
  expect(body).toEqual({
    generation_manager: {
      total_connections: 2,
      active_connections: 2,
      active_users: 1,
      messages_sent: 6,
      errors: 0,
      uptime_seconds: expect.any(Number),
      active_jobs: 2,
      job_subscribers: 3,
    },
    notification_manager: {
      active_connections: 1,
      channels: 2,
      notification_history_size: expect.any(Number),
    },
    active_presentations: 1,
    active_generation_jobs: 1,
    timestamp: expect.any(String),
  })
  expect((await fetch(`${open.url}/api/v1/realtime/stats`)).status).toBe(401)
  const metrics = await (await fetch(`${open.url}/metrics`)).text()
  expect(metrics).toContain('gateway_websockets{kind="generation"} 2')
  expect(metrics).toContain('gateway_websocket_messages_total{direction="out"} 6')
  expect(metrics).toContain('gateway_websocket_messages_total{direction="in"} 1')
  listening.close()
  world.presenton.gates.releaseAll()
  await user.waitUntilSettled(running.id)
  // The root of the public port has neither, with or without a port of operators.
  for (const url of [world.url, otherUrl, open.url]) {
    expect((await fetch(`${url}/realtime/stats`, { headers })).status, url).toBe(404)
    const body = JSON.stringify(maintenance)
    const given = { method: 'POST', body, headers: { 'content-type': 'application/json' } }
    expect((await fetch(`${url}/notifications`, given)).status, url).toBe(404)
  }
  const operators = await fetch(`${opsUrl}/realtime/stats`)
  expect(operators.status).toBe(200)
  expect(Object.keys((await operators.json()) as object)).toEqual(Object.keys(body))
})
