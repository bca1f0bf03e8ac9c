// Progress over WebSocket and SSE: the present state first, then changes, and the terminal state
// last; subscriptions to further presentations; deletion.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import { openSocket, type ReceivedMessage, type Socket } from '../sandbox/socket.ts'
import type { User } from './user.ts'
import { brief } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
const sockets: Socket[] = []
beforeAll(async () => {
  world = await openWorld({ replicas: 2, env: { WEBSOCKET_MESSAGES_PER_SECOND: '1000' } })
  user = await world.createUser()
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) await socket.close()
  await world.expectNoLeaks()
})
afterAll(() => world.close())

const path = (id: string, replica = 0) =>
  `${world.gateways[replica]?.url}/api/v1/realtime/generation/${id}`

async function follow(id: string, { replica = 0, as = user } = {}): Promise<Socket> {
  const socket = await openSocket(path(id, replica), { token: as.token })
  sockets.push(socket)
  return socket
}

const isTerminal = ({ data }: ReceivedMessage) =>
  ['completed', 'failed', 'cancelled'].includes(data?.status)
const isProgress = ({ type }: ReceivedMessage) => type === 'job_progress'

test('sends connected, the present state, each change, and the terminal state last, on any replica', async () => {
  world.presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  const [own, other] = [await follow(id), await follow(id.toUpperCase(), { replica: 1 })]
  for (const socket of [own, other]) {
    const connected = await socket.expectNext('connected')
    expect(connected).toEqual({
      type: 'connected',
      connection_id: expect.stringMatching(/^[\da-f-]{36}$/),
      job_id: id,
      user_id: user.sub,
      timestamp: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
    })
    const { data, ...first } = await socket.expectNext('job_progress')
    expect(first).toMatchObject({ job_id: id })
    expect(Object.keys(data)).toEqual([
      ...['status', 'stage', 'progress', 'current_step', 'message', 'slides_done', 'n_slides'],
      ...['queue_position', 'estimated_completion', 'error'],
    ])
  }
  await world.presenton.gates.arrived('slides:slide')
  for (const socket of [own, other]) {
    const before = await socket.until(({ data }) => data?.stage === 'slides')
    expect(before.at(-1).data).toMatchObject({
      status: 'running',
      current_step: 'Generating slides',
      message: 'Slide 0 of 3',
    })
  }
  world.presenton.gates.release('slides:slide')
  for (const socket of [own, other]) {
    const rest = await socket.until(isTerminal)
    expect(rest.at(-1).data).toMatchObject({
      status: 'completed',
      stage: null,
      progress: 1,
      slides_done: 3,
      error: null,
      estimated_completion: null,
    })
    const progress = socket.received.filter(isProgress).map(({ data }) => data.progress)
    expect(progress).toEqual(progress.toSorted((a: number, b: number) => a - b))
    // It stays open after the terminal state.
    socket.send({ type: 'ping', request_id: 'still there' })
    expect(await socket.expectNext('pong')).toMatchObject({ request_id: 'still there' })
  }
})

test('a further export continues on the same connection, with a terminal state of its own', async () => {
  const { id } = await user.generate()
  const socket = await follow(id)
  expect((await socket.until(isProgress)).at(-1).data).toMatchObject({ status: 'completed' })
  const exported = await user.api(`/presentations/${id}/exports`, {
    method: 'POST',
    body: { format: 'pdf' },
  })
  expect(exported.status).toBe(202)
  const run = await socket.until(isTerminal)
  expect(run[0].data).toMatchObject({ status: 'running', stage: 'export' })
  expect(run.at(-1).data).toMatchObject({ status: 'completed', progress: 1 })
})

test('subscribes to further presentations once each, and unsubscribes', async () => {
  const [first, second] = [await user.generate(), await user.generate()]
  const socket = await follow(first.id)
  await socket.until(isProgress)
  socket.send({ type: 'subscribe_job', job_id: second.id, request_id: 'a', more: true })
  expect(await socket.expectNext('subscribed')).toMatchObject({
    job_id: second.id,
    request_id: 'a',
  })
  expect(await socket.expectNext('job_progress')).toMatchObject({
    job_id: second.id,
    data: { status: 'completed' },
  })
  socket.send({ type: 'subscribe_job', job_id: second.id.toUpperCase(), request_id: 'b' })
  expect(await socket.expectNext('subscribed')).toMatchObject({ request_id: 'b' })
  // Also a second subscription gets the state, and the changes after it only once.
  expect(await socket.expectNext('job_progress')).toMatchObject({ job_id: second.id })
  socket.send({ type: 'subscribe_job', job_id: first.id, request_id: 'url' })
  expect(await socket.expectNext('subscribed')).toMatchObject({ request_id: 'url' })
  expect(await socket.expectNext('job_progress')).toMatchObject({ job_id: first.id })
  await user.api(`/presentations/${second.id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  const run = await socket.until(isTerminal)
  expect(run.filter(isTerminal)).toHaveLength(1)
  socket.send({ type: 'unsubscribe_job', job_id: second.id, request_id: 'c' })
  expect(await socket.expectNext('unsubscribed')).toMatchObject({ request_id: 'c' })
  await user.api(`/presentations/${second.id}`, { method: 'DELETE' })
  socket.send({ type: 'ping' })
  await socket.expectNext('pong')
})

test('a foreign, unknown or malformed job is NOT_FOUND, and one that is no text VALIDATION_FAILED', async () => {
  const otherUser = await world.createUser('other')
  const [own, foreign] = [await user.generate(), await otherUser.generate()]
  const socket = await follow(own.id)
  await socket.until(isProgress)
  const unknown = '00000000-0000-4000-8000-000000000000'
  for (const type of ['subscribe_job', 'unsubscribe_job']) {
    for (const job_id of [foreign.id, unknown, 'x', '', `${own.id}x`]) {
      socket.send({ type, job_id, request_id: '1' })
      expect(await socket.expectNext('error'), job_id).toMatchObject({
        error_code: 'NOT_FOUND',
        message: 'The resource does not exist.',
        details: {},
        request_id: '1',
      })
    }
    for (const job_id of [undefined, null, 7, {}, [own.id]]) {
      socket.send({ type, job_id })
      expect(await socket.expectNext('error')).toMatchObject({ error_code: 'VALIDATION_FAILED' })
    }
  }
})

test('allows 100 jobs for each connection', async () => {
  const { id } = await user.generate()
  const copies = await world.query<{ id: string }>(
    `with copy as (insert into gateway.presentations (id, user_id, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at)
       select gen_random_uuid(), $1, 'completed', 'pptx', 'general', 'English', 3, 'pptx', '{}', 0, now() from generate_series(1, 100) returning id),
     lease as (insert into gateway.leases (presentation_id) select id from copy)
     select id from copy`,
    [user.sub],
  )
  const socket = await follow(id)
  await socket.until(isProgress)
  for (const [index, copy] of copies.entries()) {
    socket.send({ type: 'subscribe_job', job_id: copy.id, request_id: String(index) })
    if (index < 99) await socket.until(({ type }) => type === 'job_progress')
  }
  const refused = await socket.until(({ type }) => type === 'error')
  expect(refused.at(-1)).toMatchObject({ error_code: 'TOO_MANY_SUBSCRIPTIONS', request_id: '99' })
  await world.query(`delete from gateway.presentations where id = any($1::uuid[])`, [
    copies.map((copy) => copy.id),
  ])
})

test('tells of a deleted presentation, and closes with 4404 when it is that of the URL', async () => {
  const [first, second] = [await user.generate(), await user.generate()]
  const socket = await follow(first.id, { replica: 1 })
  await socket.until(isProgress)
  socket.send({ type: 'subscribe_job', job_id: second.id })
  await socket.until(({ type }) => type === 'subscribed')
  await socket.expectNext('job_progress')
  await user.api(`/presentations/${second.id}`, { method: 'DELETE' })
  expect(await socket.expectNext('job_deleted')).toMatchObject({ job_id: second.id })
  await user.api(`/presentations/${first.id}`, { method: 'DELETE' })
  expect(await socket.expectNext('job_deleted')).toMatchObject({ job_id: first.id })
  expect(await socket.closed).toEqual({ code: 4404, reason: '' })
})

const ssePath = (id: string, query = '') =>
  `${world.url}/api/v1/realtime/sse/generation/${id}${query}`

test('SSE sends the same messages with counted ids, and ends after the terminal state', async () => {
  world.presenton.gates.hold('slides:slide')
  const { id } = await user.submit()
  const reader = await openReader(ssePath(id.toUpperCase()), { token: user.token })
  expect(reader.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-store, no-transform',
  })
  await world.presenton.gates.arrived('slides:slide')
  world.presenton.gates.release('slides:slide')
  const events = await reader.rest()
  expect(await reader.ended).toBe('clean')
  expect(events.map((event) => event.id)).toEqual(events.map((_, index) => index + 1))
  expect(new Set(events.map(({ event }) => event))).toEqual(new Set(['message']))
  expect(events[0]?.data).toMatchObject({ type: 'connected', job_id: id, user_id: user.sub })
  expect(events.slice(1).every(({ data }) => data.type === 'job_progress')).toBe(true)
  expect(events.at(-1)?.data.data).toMatchObject({ status: 'completed', progress: 1 })

  for (const options of [{ lastEventId: '7' }, { lastEventId: 'anything' }])
    expect((await openReader(ssePath(id), { token: user.token, ...options })).status).toBe(204)
  const byQuery = await openReader(ssePath(id, '?last_event_id=3'), { token: user.token })
  expect(byQuery.status).toBe(204)
  const again = await openReader(ssePath(id), { token: user.token })
  expect((await again.rest()).map(({ data }) => data.type)).toEqual(['connected', 'job_progress'])
})

test('SSE sends job_deleted, then ends', async () => {
  world.presenton.gates.hold('outlines:chunk')
  const { id } = await user.submit(brief)
  const reader = await openReader(ssePath(id), { token: user.token })
  await reader.until('job_progress')
  await user.api(`/presentations/${id}`, { method: 'DELETE' })
  expect((await reader.rest()).at(-1)?.data).toMatchObject({ type: 'job_deleted', job_id: id })
  expect(await reader.ended).toBe('clean')
})

test('SSE stays open while outlines await approval, and ends with the run', async () => {
  const { id } = await user.submit({ ...brief, review_outlines: true })
  const reader = await openReader(ssePath(id), { token: user.token })
  for (let data: ReceivedMessage; data?.status !== 'awaiting_outlines'; )
    data = (await reader.expectNext()).data.data
  // A reconnect to a presentation that is not finished gets its state, for any last id.
  const again = await openReader(ssePath(id), { token: user.token, lastEventId: 2 })
  expect((await again.until('job_progress')).at(-1)?.data.data).toMatchObject({
    status: 'awaiting_outlines',
    stage: null,
    current_step: 'Waiting for approval',
  })
  again.close()
  await user.api(`/presentations/${id}/outlines`, { method: 'PUT', body: {} })
  expect((await reader.rest()).at(-1)?.data.data).toMatchObject({ status: 'completed' })
  expect(await reader.ended).toBe('clean')
})
