// What is reported of failures and deletions, where nothing can be opened, and cursors that have
// expired.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type Socket } from '../sandbox/socket.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { WEBSOCKET_MESSAGES_PER_SECOND: '1000' } })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

const urlOf = (path: string, replica = 0) =>
  `${world.gateways[replica]?.url}/api/v1/realtime${path}`

async function listen(user: User, { replica = 0, cursor = '' } = {}): Promise<Socket> {
  const query = cursor && `?last_event_id=${cursor}`
  const socket = await openSocket(urlOf(`/notifications${query}`, replica), { token: user.token })
  sockets.push(socket)
  return socket
}

async function expectSilence(socket: Socket) {
  socket.send({ type: 'ping' })
  await socket.expectNext('pong')
}

test('tells of a failed deck and of a failed export, each once, with the page of the deck to open', async () => {
  const user = await world.createUser()
  const socket = await listen(user)
  await socket.expectNext('connected')
  world.presenton.faults.inject('create:422')
  const failed = await user.submit()
  expect(await user.waitUntilSettled(failed.id)).toMatchObject({ status: 'failed' })
  const error = { notification_type: 'error', priority: 'high', category: 'generation' }
  const deckPage = {
    action_url: expect.stringMatching(new RegExp(`/decks/${failed.id}$`)),
    action_text: 'Open',
  }
  expect(await socket.expectNext('notification')).toMatchObject({
    ...error,
    ...deckPage,
    title: 'Presentation failed',
    data: { presentation_id: failed.id, code: 'UPSTREAM_REJECTED' },
  })
  const { id } = await user.generate()
  expect(await socket.expectNext('notification')).toMatchObject({ notification_type: 'success' })
  world.presenton.faults.inject('export:422')
  await user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  expect(await socket.expectNext('notification')).toMatchObject({
    ...error,
    title: 'Export failed',
    data: { presentation_id: id, code: 'UPSTREAM_REJECTED' },
  })
  await user.waitUntilSettled(id)
  await expectSilence(socket)
})

test('leads nowhere without the page and a page of the product', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  const pageless = await world.openReplica({ PAGE: 'false' })
  const none = { data: { presentation_id: id }, action_url: null, action_text: null }
  const listed = await user.api('/notifications', { baseUrl: pageless.url })
  expect(listed.body.items).toMatchObject([none])
  const socket = await openSocket(`${pageless.url}/api/v1/realtime/notifications`, {
    token: user.token,
  })
  sockets.push(socket)
  await socket.expectNext('connected')
  expect(await socket.expectNext('notification')).toMatchObject(none)
  await socket.close()
  await world.closeReplica(pageless)
})

test('a deleted presentation takes its notifications with it, which all open connections learn', async () => {
  const [user, other] = [await world.createUser(), await world.createUser()]
  const [deleted, kept] = [await user.generate(), await user.generate()]
  const open = [await listen(user), await listen(user, { replica: 1 })]
  const foreign = await listen(other)
  await foreign.expectNext('connected')
  const stream = await openReader(urlOf('/sse/notifications', 1), { token: user.token })
  const shown: string[] = []
  for (const socket of open) {
    await socket.expectNext('connected')
    shown.push((await socket.expectNext('notification')).id)
    await socket.expectNext('notification')
  }
  await stream.until('notification')
  await stream.expectNext('notification')
  await user.api(`/presentations/${deleted.id}`, { method: 'DELETE' })
  const message = { type: 'notification_deleted', notification_id: shown[0], unread: 1 }
  for (const socket of open)
    expect(await socket.expectNext('notification_deleted')).toMatchObject(message)
  expect((await stream.expectNext('notification_deleted')).data).toMatchObject(message)
  stream.close()
  await expectSilence(foreign)
  const { body } = await user.api('/notifications')
  expect(body).toMatchObject({ unread: 1, items: [{ data: { presentation_id: kept.id } }] })
})

test('REST and WebSocket changes reach the event streams of the user', async () => {
  const user = await world.createUser()
  await user.generate()
  const stream = await openReader(urlOf('/sse/notifications', 1), { token: user.token })
  await stream.expectNext('connected')
  const { data } = await stream.expectNext('notification')
  const socket = await listen(user)
  await socket.until(({ type }) => type === 'notification')
  socket.send({ type: 'mark_read', notification_id: data.id })
  await socket.expectNext('marked_read')
  const change = { notification_id: data.id, unread: 0 }
  expect((await stream.expectNext('notification_read')).data).toMatchObject(change)
  await user.api('/notifications/read', { method: 'POST', body: { up_to: data.id } })
  expect((await stream.expectNext('notifications_read')).data).toMatchObject({ up_to: data.id })
  await user.api(`/notifications/${data.id}`, { method: 'DELETE' })
  expect((await stream.expectNext('notification_deleted')).data).toMatchObject(change)
  stream.close()
})

test('the id of a streamed notification is its cursor, and other messages have none', async () => {
  const user = await world.createUser()
  const { id } = await user.generate()
  const response = await fetch(urlOf('/sse/notifications'), {
    headers: { authorization: `Bearer ${user.token}`, accept: 'text/event-stream' },
  })
  let text = ''
  const decoder = new TextDecoder()
  for await (const bytes of response.body ?? []) {
    text += decoder.decode(bytes as Uint8Array, { stream: true })
    if (text.includes(id) && text.endsWith('\n\n')) break
  }
  const frames = text.split('\n\n').filter((frame) => frame.includes('data: '))
  expect(frames[0]).toMatch(/^data: \{"type":"connected"/)
  const [idLine, dataLine = ''] = (frames[1] ?? '').split('\n')
  const { cursor } = JSON.parse(dataLine.slice('data: '.length))
  expect(idLine).toBe(`id: ${cursor}`)
})

test('answers a cursor before what the retention has removed with resync, then as without', async () => {
  const user = await world.createUser()
  const first = await listen(user)
  await first.expectNext('connected')
  const ids = []
  const cursors: string[] = []
  for (let n = 0; n < 3; n += 1) {
    ids.push((await user.generate()).id)
    cursors.push((await first.expectNext('notification')).cursor)
  }
  await world.query(
    `update gateway.notifications set created_at = now() - interval '2 hours'
     where channel = $1 and seq <= 2`,
    [`user_${user.sub}`],
  )
  const cleaning = await world.openReplica({ NOTIFICATION_RETENTION_HOURS: '1' })
  await expect
    .poll(async () => (await user.api('/notifications')).body.items.length, { timeout: 60_000 })
    .toBe(1)
  await world.closeReplica(cleaning)
  const expired = await listen(user, { cursor: cursors[0] ?? '', replica: 1 })
  expect(await expired.expectNext('connected')).toMatchObject({ unread: 1 })
  expect(await expired.expectNext('resync')).toMatchObject({ unread: 1 })
  expect((await expired.expectNext('notification')).data).toMatchObject({ presentation_id: ids[2] })
  await expectSilence(expired)
  // The last one that was removed is where this cursor stands: nothing is missing behind it.
  const good = await listen(user, { cursor: cursors[1] ?? '' })
  await good.expectNext('connected')
  expect((await good.expectNext('notification')).data).toMatchObject({ presentation_id: ids[2] })
  await expectSilence(good)
})
