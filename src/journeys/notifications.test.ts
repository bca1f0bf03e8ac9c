// Notifications: what is reported, over WebSocket, SSE and REST, on any replica.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type ReceivedMessage, type Socket } from '../sandbox/socket.ts'
import { brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld({
    replicas: 2,
    env: { APP_LINK: 'https://app.example/slides/{id}', WEBSOCKET_MESSAGES_PER_SECOND: '1000' },
  })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

const uuid = expect.stringMatching(/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/)
const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)

async function listen(user: User, { replica = 0, cursor = '' } = {}): Promise<Socket> {
  const query = cursor && `?last_event_id=${cursor}`
  const url = `${world.gateways[replica]?.url}/api/v1/realtime/notifications${query}`
  const socket = await openSocket(url, { token: user.token })
  sockets.push(socket)
  return socket
}

async function openListening(user: User, options?: Parameters<typeof listen>[1]) {
  const socket = await listen(user, options)
  await socket.expectNext('connected')
  return socket
}

/** Nothing else came before the response to a ping. */
async function expectSilence(socket: Socket) {
  socket.send({ type: 'ping' })
  await socket.expectNext('pong')
}

test('tells the owner, and no one else, that a deck is ready, on every replica', async () => {
  const [user, other] = [await world.createUser(), await world.createUser()]
  const [here, there] = [await listen(user), await listen(user, { replica: 1 })]
  const foreign = await openListening(other)
  for (const socket of [here, there])
    expect(await socket.expectNext('connected')).toEqual({
      type: 'connected',
      connection_id: uuid,
      user_id: user.sub,
      unread: 0,
      timestamp: time,
    })
  const { id } = await user.submit({ ...brief, title: 'Machine Learning Research' })
  for (const socket of [here, there])
    expect(await socket.expectNext('notification')).toEqual({
      type: 'notification',
      id: uuid,
      channel: `user_${user.sub}`,
      notification_type: 'success',
      title: 'Presentation ready',
      message: '“Machine Learning Research” is ready: 3 slides.',
      data: { presentation_id: id, slide_count: 3 },
      priority: 'normal',
      category: 'generation',
      action_url: `https://app.example/slides/${id}`,
      action_text: 'Open',
      read: false,
      unread: 1,
      cursor: expect.stringMatching(/^[\w-]{1,128}$/),
      timestamp: time,
    })
  await expectSilence(foreign)
  // A successful export tells nothing, and neither does a cancelled run.
  await user.waitUntilSettled(id)
  await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  await user.waitUntilSettled(id)
  world.presenton.gates.hold('outlines:chunk')
  const cancelled = await user.submit()
  await world.presenton.gates.arrived('outlines:chunk')
  await user.api(`/presentations/${cancelled.id}/cancel`, { method: 'POST' })
  await expectSilence(here)
})

test('tells of failed runs, of outlines that await approval and of a review that expires soon', async () => {
  const user = await world.createUser()
  const socket = await openListening(user)
  const { id } = await user.submit({ ...brief, review_outlines: true, title: 'Reviewed' })
  expect(await socket.expectNext('notification')).toMatchObject({
    notification_type: 'info',
    priority: 'high',
    category: 'review',
    message: 'The outlines of “Reviewed” are ready for your approval.',
    data: { presentation_id: id, expires_at: time },
  })
  await world.query(
    `update gateway.presentations set review_expires_at = now() + interval '59 minutes' where id = $1`,
    [id],
  )
  expect(await socket.expectNext('notification', 60_000)).toMatchObject({
    notification_type: 'warning',
    priority: 'high',
    category: 'review',
    message: 'The outlines of “Reviewed” expire within an hour.',
  })
  await world.query(
    `update gateway.presentations set review_expires_at = now() - interval '1 second' where id = $1`,
    [id],
  )
  expect(await socket.expectNext('notification', 60_000)).toMatchObject({
    notification_type: 'error',
    priority: 'high',
    category: 'generation',
    title: 'Presentation failed',
    message: '“Reviewed” could not be finished. The outlines were not approved in time.',
    data: { presentation_id: id, code: 'REVIEW_EXPIRED' },
    unread: 3,
  })
})

test('marks as read, one or all up to one, and tells all other connections', async () => {
  const user = await world.createUser()
  for (let n = 0; n < 3; n += 1) await user.generate()
  const [here, there] = [await openListening(user), await openListening(user, { replica: 1 })]
  const seen = await here.until(({ type }) => type === 'notification')
  seen.push(await here.expectNext('notification'), await here.expectNext('notification'))
  for (let n = 0; n < 3; n += 1) await there.expectNext('notification')
  const [first, second] = seen.map(({ id }: ReceivedMessage) => id)

  here.send({ type: 'mark_read', notification_id: first, request_id: '1' })
  expect(await here.expectNext('marked_read')).toEqual({
    type: 'marked_read',
    notification_id: first,
    unread: 2,
    request_id: '1',
    timestamp: time,
  })
  expect(await there.expectNext('notification_read')).toEqual({
    type: 'notification_read',
    notification_id: first,
    unread: 2,
    timestamp: time,
  })
  there.send({ type: 'mark_read', up_to: second, request_id: '2' })
  const all = { type: 'notifications_read', up_to: second, unread: 1, timestamp: time }
  expect(await there.expectNext('notifications_read')).toEqual({ ...all, request_id: '2' })
  expect(await here.expectNext('notifications_read')).toEqual(all)
  for (const members of [{}, { notification_id: 7 }, { notification_id: first, up_to: second }]) {
    here.send({ type: 'mark_read', ...members })
    expect(await here.expectNext('error')).toMatchObject({ error_code: 'VALIDATION_FAILED' })
  }
  const foreign = await openListening(await world.createUser())
  for (const notification_id of [first, 'x', '00000000-0000-4000-8000-000000000000']) {
    foreign.send({ type: 'mark_read', notification_id })
    expect(await foreign.expectNext('error')).toMatchObject({ error_code: 'NOT_FOUND' })
  }
})

test('REST lists, marks, and deletes, and tells the open connections', async () => {
  const user = await world.createUser()
  const [first, second] = [await user.generate(), await user.generate()]
  const socket = await openListening(user, { replica: 1 })
  for (let n = 0; n < 2; n += 1) await socket.expectNext('notification')
  const page = await user.api('/notifications?limit=1')
  expect(page.body).toMatchObject({ unread: 2, next_cursor: expect.any(String) })
  const [newest] = page.body.items
  const { type: _type, unread: _unread, ...message } = socket.received.at(-1)
  expect(newest).toEqual(message)
  const next = await user.api(`/notifications?limit=1&cursor=${page.body.next_cursor}`)
  expect(next.body).toMatchObject({
    next_cursor: null,
    items: [{ data: { presentation_id: first.id } }],
  })

  const patched = await user.api(`/notifications/${newest.id}`, {
    method: 'PATCH',
    body: { read: true },
  })
  expect(patched).toMatchObject({ status: 200, body: { ...newest, read: true } })
  expect(await socket.expectNext('notification_read')).toMatchObject({ unread: 1 })
  expect((await user.api('/notifications?unread=true')).body.items).toHaveLength(1)
  const read = await user.api('/notifications/read', {
    method: 'POST',
    body: { up_to: newest.id },
  })
  expect(read).toMatchObject({ status: 200, body: { unread: 0 } })
  expect(await socket.expectNext('notifications_read')).toMatchObject({ up_to: newest.id })
  const deleted = await user.api(`/notifications/${newest.id}`, { method: 'DELETE' })
  expect(deleted.status).toBe(204)
  expect(await socket.expectNext('notification_deleted')).toMatchObject({
    notification_id: newest.id,
    unread: 0,
  })
  const again = await user.api(`/notifications/${newest.id}`, { method: 'DELETE' })
  expect(again.status).toBe(404)

  // A deleted presentation takes its notifications with it.
  await user.api(`/presentations/${first.id}`, { method: 'DELETE' })
  expect((await user.api('/notifications')).body).toEqual({
    items: [],
    next_cursor: null,
    unread: 0,
  })
  expect(second.status).toBe('completed')
  for (const path of ['?limit=0', '?limit=101', '?unread=yes', '?cursor=x'])
    expect((await user.api(`/notifications${path}`)).status, path).toBe(400)
  for (const body of [{ read: false }, {}, { read: true, more: 1 }])
    expect((await user.api(`/notifications/${newest.id}`, { method: 'PATCH', body })).status).toBe(
      400,
    )
})

test('resumes after the cursor on any replica, once each and in order, over WebSocket and SSE', async () => {
  const user = await world.createUser()
  const before = await openListening(user)
  await user.generate()
  const { cursor } = await before.expectNext('notification')
  await before.close()
  const missed = [await user.generate(), await user.generate()].map(({ id }) => id)
  const idsOf = (messages: ReceivedMessage[]) => messages.map(({ data }) => data.presentation_id)

  const socket = await openListening(user, { replica: 1, cursor })
  const received = [
    await socket.expectNext('notification'),
    await socket.expectNext('notification'),
  ]
  expect(idsOf(received)).toEqual(missed)
  await expectSilence(socket)
  const atEnd = await openListening(user, { cursor: received[1]?.cursor })
  await expectSilence(atEnd)

  const url = `${world.gateways[1]?.url}/api/v1/realtime/sse/notifications`
  const reader = await openReader(url, { token: user.token, lastEventId: cursor })
  expect((await reader.expectNext('connected')).text).toContain('"unread":3')
  const events = [await reader.expectNext('notification'), await reader.expectNext('notification')]
  expect(idsOf(events.map(({ data }) => data))).toEqual(missed)
  reader.close()
})

test('without a cursor sends the newest 100 unread, oldest of them first', async () => {
  const user = await world.createUser()
  await world.query(
    `insert into gateway.notification_channels (channel, last_seq) values ($1, 130)`,
    [`user_${user.sub}`],
  )
  await world.query(
    `insert into gateway.notifications (channel, seq, notification_type, title, message, category, read)
     select $1, n, 'info', n::text, 'm', 'system', n = 60 from generate_series(1, 130) n`,
    [`user_${user.sub}`],
  )
  const socket = await listen(user)
  expect(await socket.expectNext('connected')).toMatchObject({ unread: 129 })
  const titles: string[] = []
  for (let n = 0; n < 100; n += 1) titles.push((await socket.expectNext('notification')).title)
  const numbers = Array.from({ length: 130 }, (_, n) => n + 1).filter((n) => n !== 60)
  expect(titles).toEqual(numbers.slice(-100).map(String))
  await expectSilence(socket)
})

test('answers an unknown, foreign, expired or over-long cursor with resync', async () => {
  const [user, other] = [await world.createUser(), await world.createUser()]
  await user.generate()
  await other.generate()
  const theirs = await openListening(other)
  const foreign = (await theirs.expectNext('notification')).cursor
  const beyond = Buffer.from('99.0.x').toString('base64url')
  for (const cursor of ['nonsense', '0', beyond, foreign, 'x'.repeat(129), 'x'.repeat(5_000)]) {
    const socket = await listen(user, { cursor })
    expect(await socket.expectNext('connected')).toMatchObject({ unread: 1 })
    expect(await socket.expectNext('resync'), cursor).toEqual({
      type: 'resync',
      unread: 1,
      timestamp: time,
    })
    await socket.expectNext('notification')
    await expectSilence(socket)
  }
})

test('switches channels off and on, and follows the status of own presentations', async () => {
  const user = await world.createUser()
  const socket = await openListening(user)
  const own = `user_${user.sub}`
  const send = async (type: string, channel: unknown) => {
    socket.send({ type, channel, request_id: 'r' })
    return socket.next()
  }
  for (const channel of [own, 'general']) {
    const answer = { channel, request_id: 'r', timestamp: time }
    expect(await send('unsubscribe_channel', channel)).toEqual({
      type: 'channel_unsubscribed',
      ...answer,
    })
    expect(await send('subscribe_channel', channel)).toEqual({
      type: 'channel_subscribed',
      ...answer,
    })
  }
  const otherUser = await world.createUser()
  const foreign = await otherUser.generate()
  for (const type of ['subscribe_channel', 'unsubscribe_channel']) {
    const channels = [
      'user_other',
      'x',
      '',
      `presentation_${foreign.id}`,
      'presentation_',
      'General',
    ]
    for (const channel of channels)
      expect(await send(type, channel), channel).toMatchObject({ error_code: 'NOT_FOUND' })
    for (const channel of [null, 7, {}])
      expect(await send(type, channel)).toMatchObject({ error_code: 'VALIDATION_FAILED' })
  }
  await send('unsubscribe_channel', own)
  world.presenton.gates.hold('outlines:chunk')
  const { id } = await user.submit()
  await world.presenton.gates.arrived('outlines:chunk')
  expect(await send('subscribe_channel', `presentation_${id}`)).toMatchObject({
    type: 'channel_subscribed',
  })
  world.presenton.gates.releaseAll()
  const statuses = await socket.until(({ status }) => status === 'completed')
  for (const message of statuses)
    expect(message).toMatchObject({ type: 'presentation_status', presentation_id: id })
  expect(statuses.at(-1)).toMatchObject({ stage: null })
  // What the channel had while it was off counts as delivered.
  await send('subscribe_channel', own)
  await expectSilence(socket)
  expect((await user.api('/notifications')).body.unread).toBe(1)
})
