// Real-time connections in an outage of the database: they stay open, a message that needs it gets
// INTERNAL_ERROR, new connections are refused as trouble that passes, and nothing is lost.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type Socket, UpgradeRefused } from '../sandbox/socket.ts'
import { openTcpProxy, type TcpProxy } from '../sandbox/tcp-proxy.ts'
import { openTestDatabase } from '../sandbox/test-database.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let proxy: TcpProxy
let user: User
const sockets: Socket[] = []
beforeAll(async () => {
  const database = await openTestDatabase()
  proxy = await openTcpProxy({ port: Number(new URL(database.url).port) })
  const close = () => Promise.all([proxy.close(), database.close()])
  world = await openWorld({
    database: { url: proxy.through(database.url), close },
    env: { SSE_HEARTBEAT_SECONDS: '1', WEBSOCKET_MESSAGES_PER_SECOND: '1000' },
  })
  user = await world.createUser()
})
afterEach(async () => {
  await proxy.up()
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

const urlOf = (path: string) => `${world.url}/api/v1/realtime${path}`

async function open(path: string): Promise<Socket> {
  const socket = await openSocket(urlOf(path), { token: user.token })
  sockets.push(socket)
  return socket
}

const internalError = (requestId: string) => ({
  type: 'error',
  error_code: 'INTERNAL_ERROR',
  message: expect.stringMatching(/^[A-Z][^{}]+\.$/),
  details: {},
  request_id: requestId,
  timestamp: expect.any(String),
})

test('a message that needs the database gets INTERNAL_ERROR, and the connection works again afterwards', async () => {
  const [first, second] = [await user.generate(), await user.generate()]
  const progress = await open(`/generation/${first.id}`)
  await progress.until(({ type }) => type === 'job_progress')
  const notified = await open('/notifications')
  await notified.expectNext('connected')
  const { id } = await notified.expectNext('notification')
  await notified.expectNext('notification')

  await proxy.down()
  const messages: [Socket, object][] = [
    [progress, { type: 'subscribe_job', job_id: second.id }],
    [progress, { type: 'unsubscribe_job', job_id: second.id }],
    [notified, { type: 'mark_read', notification_id: id }],
    [notified, { type: 'mark_read', up_to: id }],
    [notified, { type: 'subscribe_channel', channel: `presentation_${first.id}` }],
  ]
  for (const [index, [socket, message]] of messages.entries()) {
    socket.send({ ...message, request_id: String(index) })
    expect(await socket.next(60_000)).toEqual(internalError(String(index)))
    socket.send({ type: 'ping' })
    await socket.expectNext('pong')
  }

  await proxy.up()
  progress.send({ type: 'subscribe_job', job_id: second.id, request_id: 'again' })
  expect(await progress.expectNext('subscribed', 60_000)).toMatchObject({ request_id: 'again' })
  expect(await progress.expectNext('job_progress')).toMatchObject({ job_id: second.id })
  notified.send({ type: 'mark_read', notification_id: id, request_id: 'again' })
  expect(await notified.expectNext('marked_read')).toMatchObject({ request_id: 'again', unread: 1 })
})

test('refuses upgrades with 503 in an outage, and an event stream with a retry only', async () => {
  const { id } = await user.generate()
  await proxy.down()
  for (const path of [`/generation/${id}`, '/notifications']) {
    const refused = await open(path).catch((error: unknown) => error)
    if (!(refused instanceof UpgradeRefused)) throw new Error(`${path}: not refused`)
    expect(refused.response.status, path).toBe(503)
    expect(JSON.parse(refused.response.text)).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
    const stream = await openReader(urlOf(`/sse${path}`), { token: user.token })
    expect([stream.status, await stream.rest()], path).toEqual([200, []])
    expect(stream.retry, path).toBeGreaterThan(0)
    // Others than an EventSource understand a status.
    const headers = { authorization: `Bearer ${user.token}` }
    const response = await fetch(urlOf(`/sse${path}`), { headers })
    expect(response.status, path).toBe(503)
    expect(await response.json()).toMatchObject({ code: 'DATABASE_UNAVAILABLE' })
  }
})

test('open connections survive an outage, and show once each what happened during it', async () => {
  world.presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  await world.presenton.gates.arrived('slides:slide')
  const socket = await open(`/generation/${id}`)
  await socket.until(({ type }) => type === 'job_progress')
  const [notified, stream] = [
    await open('/notifications'),
    await openReader(urlOf('/sse/notifications'), { token: user.token }),
  ]
  for (const { unread } of [await notified.expectNext('connected')])
    for (let n = 0; n < unread; n += 1) await notified.expectNext('notification')
  await stream.expectNext('connected')
  await proxy.down()
  const { comments } = stream
  // The stand-in goes on, and heartbeats arrive without a database.
  world.presenton.gates.releaseAll()
  await expect.poll(() => stream.comments, { timeout: 30_000 }).toBeGreaterThan(comments)
  await proxy.up()
  const end = await socket.until(({ data }) => data?.status === 'completed', 90_000)
  expect(end.at(-1)).toMatchObject({ job_id: id })
  const told = await notified.expectNext('notification', 60_000)
  expect(told.data).toMatchObject({ presentation_id: id })
  await stream.until('notification', 60_000)
  notified.send({ type: 'ping' })
  await notified.expectNext('pong')
  stream.close()
})

test('finds in the tables what no hint has told', async () => {
  const { id } = await user.generate()
  const progress = await open(`/generation/${id}`)
  await progress.until(({ type }) => type === 'job_progress')
  const notified = await open('/notifications')
  const { unread } = await notified.expectNext('connected')
  for (let n = 0; n < unread; n += 1) await notified.expectNext('notification')
  // As a replica would that crashes right after its commit.
  await world.query(
    `with head as (update gateway.notification_channels set last_seq = last_seq + 1
       where channel = $1 returning last_seq)
     insert into gateway.notifications (channel, seq, notification_type, category, title, message)
     select $1, last_seq, 'info', 'system', 'Unannounced', '.' from head`,
    [`user_${user.sub}`],
  )
  expect(await notified.expectNext('notification')).toMatchObject({
    title: 'Unannounced',
    unread: unread + 1,
  })
  await world.query('delete from gateway.presentations where id = $1', [id])
  expect(await progress.expectNext('job_deleted')).toMatchObject({ job_id: id })
  expect((await progress.closed).code).toBe(4404)
})
