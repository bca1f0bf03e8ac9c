// The event stream route: headers, last event id, final and temporary errors, disconnects, and the
// bytes on the socket.

import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { openTestServer, problemOf, rowId, type TestServer } from '../../app/test-server.ts'
import type { ProblemCode } from '../../contract/problem.ts'
import { Problem } from '../../domain/problem.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import type { FollowEvents } from './follow-events.ts'

type FollowOptions = Parameters<FollowEvents['follow']>[0]

let server: TestServer
afterEach(() => server.close())

const path = `/api/v1/presentations/${rowId}/events`
const eventStream = { accept: 'text/event-stream' }

async function open(follow: (options: FollowOptions) => Readable | undefined) {
  const calls: FollowOptions[] = []
  server = await openTestServer({
    env: { RATE_LIMIT_PER_MINUTE: '1000' },
    features: {
      events: {
        async follow(options) {
          calls.push(options)
          return follow(options)
        },
      },
    },
  })
  return calls
}

const silent = () => new Readable({ read() {} })

test('sends the headers that prevent buffering, before the first event', async () => {
  const stream = silent()
  const calls = await open(() => stream)
  const response = await server.call(path, {
    headers: { ...eventStream, 'accept-encoding': 'gzip, br' },
  })
  expect(response.status).toBe(200)
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'content-type': expect.stringMatching(/^text\/event-stream/),
    'cache-control': 'no-store, no-transform',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
  })
  expect(response.headers.get('content-encoding')).toBeNull()
  stream.push('id: 1\ndata: x\n\n')
  stream.push(null)
  expect(await response.text()).toBe('id: 1\ndata: x\n\n')
  expect(calls[0]).toMatchObject({ userId: 'alice', id: rowId, lastEventId: 0 })
  expect(calls[0]?.expiresAtMs).toBeGreaterThan(Date.now())
})

test('reads the last event id from the header, else from the query, else starts at 0', async () => {
  const calls = await open(() => undefined)
  const lastId = async (query: string, header?: string) => {
    await server.call(`${path}${query}`, {
      headers: header === undefined ? {} : { 'last-event-id': header },
    })
    return calls.at(-1)?.lastEventId
  }
  expect(await lastId('')).toBe(0)
  expect(await lastId('?last_event_id=17')).toBe(17)
  expect(await lastId('?last_event_id=17', '18')).toBe(18)
  expect(await lastId('?lastEventId=19')).toBe(19)
  expect(await lastId('', '0')).toBe(0)
  expect(await lastId('?last_event_id=4', '')).toBe(4)
  expect(await lastId('', '0017')).toBe(17)
  expect(await lastId('', '9'.repeat(4096))).toBe(Number.MAX_SAFE_INTEGER)
})

test('returns 400 for an invalid last event id, also to an EventSource', async () => {
  const calls = await open(silent)
  for (const id of ['-1', '1.5', 'x', '1e3', '0x1', '1,2', '+1', '1 2']) {
    for (const headers of [{ 'last-event-id': id }, { 'last-event-id': id, ...eventStream }]) {
      expect(await problemOf(await server.call(path, { headers })), id).toMatchObject({
        status: 400,
        code: 'VALIDATION_FAILED',
      })
    }
  }
  expect((await server.call(`${path}?last_event_id=x`)).status).toBe(400)
  expect((await server.call(`${path}?last_event_id=1&last_event_id=2`)).status).toBe(400)
  // Also beside a valid one that would count.
  for (const query of ['?last_event_id=x', '?lastEventId=null', '?last_event_id=1&lastEventId=x'])
    expect(
      (await server.call(`${path}${query}`, { headers: { 'last-event-id': '7' } })).status,
    ).toBe(400)
  expect(calls).toEqual([])
})

test('returns 204 when the log has no more events', async () => {
  await open(() => undefined)
  const response = await server.call(path, { headers: eventStream })
  expect([response.status, await response.text()]).toEqual([204, ''])
})

test('a temporary error is only a `retry` for an EventSource, and a problem for other clients', async () => {
  const codes: ProblemCode[] = [
    'DATABASE_UNAVAILABLE',
    'TOO_MANY_STREAMS',
    'AUTHENTICATION_UNAVAILABLE',
    'INTERNAL_ERROR',
  ]
  let code: ProblemCode = 'INTERNAL_ERROR'
  await open(() => {
    throw new Problem(code)
  })
  for (const each of codes) {
    code = each
    const response = await server.call(path, { headers: eventStream })
    expect([response.status, response.headers.get('content-type')], code).toEqual([
      200,
      'text/event-stream; charset=utf-8',
    ])
    const [, ms] = /^retry: (\d+)\n\n$/.exec(await response.text()) ?? []
    expect(Number(ms)).toBeGreaterThanOrEqual(3_750)
    expect(Number(ms)).toBeLessThanOrEqual(6_250)
    expect((await problemOf(await server.call(path))).code).toBe(code)
  }
})

test('returns a final error also to an EventSource', async () => {
  await open(() => {
    throw new Problem('NOT_FOUND')
  })
  expect((await server.call(path, { headers: eventStream })).status).toBe(404)
  expect(
    (await server.call(path, { headers: { ...eventStream, authorization: 'Bearer x' } })).status,
  ).toBe(401)
  expect((await server.call(path.replace(rowId, 'x'), { headers: eventStream })).status).toBe(404)
})

test('unavailable signing keys are a temporary error, although the user is not known', async () => {
  server = await openTestServer({
    features: {
      auth: {
        verify: async () => {
          throw new Problem('AUTHENTICATION_UNAVAILABLE', { retryAfterSeconds: 30 })
        },
      },
    },
  })
  expect((await server.call(path, { headers: eventStream })).status).toBe(200)
  const other = await server.call(path)
  expect([other.status, other.headers.get('retry-after')]).toEqual([503, '30'])
})

test('a rate limit is a temporary error for an EventSource', async () => {
  server = await openTestServer({
    env: { RATE_LIMIT_PER_MINUTE: '1' },
    features: { events: { follow: async () => undefined } },
  })
  expect((await server.call(path, { headers: eventStream })).status).toBe(204)
  expect((await server.call(path)).status).toBe(429)
  expect(await (await server.call(path, { headers: eventStream })).text()).toMatch(
    /^retry: \d+\n\n$/,
  )
})

test('a disconnecting client ends the stream', async () => {
  const stream = silent()
  await open(() => stream)
  const client = new AbortController()
  const response = await server.call(path, { headers: eventStream, signal: client.signal })
  stream.push('retry: 2000\n\n')
  const reader = response.body?.getReader()
  await reader?.read()
  client.abort()
  await expect.poll(() => stream.destroyed).toBe(true)
})

test('a failing stream breaks the connection, so that the response does not look complete', async () => {
  const stream = silent()
  await open(() => stream)
  const response = await server.call(path, { headers: eventStream })
  stream.push('id: 1\ndata: x\n\n')
  const rest = response.text()
  stream.destroy(new Error('broken'))
  await expect(rest).rejects.toThrow()
})

test('pauses the stream while the client does not read, and loses nothing', async () => {
  const piece = Buffer.alloc(64 * 1024, 'x')
  const pieces = 2_000
  let pushed = 0
  const stream = new Readable({
    read() {
      this.push(pushed < pieces ? piece : null)
      pushed += 1
    },
  })
  await open(() => stream)
  const response = await server.call(path, { headers: eventStream })
  // The buffers of the sockets and of the stream are full, far below 125 MiB.
  await expect.poll(() => stream.isPaused()).toBe(true)
  expect(pushed).toBeLessThan(pieces / 2)
  expect((await response.arrayBuffer()).byteLength).toBe(pieces * piece.length)
})

test('a HEAD opens no stream', async () => {
  const calls = await open(silent)
  expect((await server.call(path, { method: 'HEAD' })).status).toBe(405)
  expect(calls).toEqual([])
})

test('breaks the connection when the stream is destroyed, so that the client reconnects', async () => {
  const stream = new Readable({ read: () => undefined })
  server = await openTestServer({ features: { events: { follow: async () => stream } } })
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(
    `GET /api/v1/presentations/${rowId}/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n\r\n`,
  )
  stream.push('id: 1\ndata: {}\n\n')
  await waitFor(() => expect(text).toContain('id: 1'))
  stream.destroy()
  await closed
  // Without the last chunk the response is not complete.
  expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
})

/** Sends the bytes and returns what the client reads until the server closes the connection. */
async function readAll(port: number, requests: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(requests)
  await closed
  return text
}

const rawRequest = (version: string, headers = '') =>
  `GET /api/v1/presentations/${rowId}/events HTTP/${version}\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n${headers}\r\n`

test('sends the same chunked bytes to all clients of HTTP/1.1', async () => {
  const frames = ['id: 1\ndata: é\n\n', 'id: 2\ndata: {}\n\n'].map((text) => Buffer.from(text))
  server = await openTestServer({
    features: { events: { follow: async () => Readable.from(frames, { objectMode: false }) } },
  })
  const read = () => readAll(server.port, rawRequest('1.1', 'Connection: close\r\n'))
  for (const text of await Promise.all([read(), read()])) {
    expect(text).toMatch(/transfer-encoding: chunked/i)
    expect(text.split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(
      '10\r\nid: 1\ndata: é\n\n\r\n10\r\nid: 2\ndata: {}\n\n\r\n0\r\n\r\n',
    )
  }
})

test('sends bytes without chunks to a client of HTTP/1.0', async () => {
  server = await openTestServer({
    features: {
      events: { follow: async () => Readable.from([Buffer.from('id: 1\ndata: {}\n\n')]) },
    },
  })
  const text = await readAll(server.port, rawRequest('1.0'))
  expect(text).not.toMatch(/transfer-encoding/i)
  expect(text.split('\r\n\r\n')[1]).toBe('id: 1\ndata: {}\n\n')
})

test('responds to pipelined requests in their order', async () => {
  const first = new Readable({ read: () => undefined })
  const streams = new Map([
    [1, first],
    [2, Readable.from([Buffer.from('id: 2\ndata: {}\n\n')])],
  ])
  const requested: number[] = []
  const follow = async ({ lastEventId }: { lastEventId: number }) => {
    requested.push(lastEventId)
    return streams.get(lastEventId)
  }
  server = await openTestServer({ features: { events: { follow } } })
  const requests =
    rawRequest('1.1', 'Last-Event-ID: 1\r\n') +
    rawRequest('1.1', 'Last-Event-ID: 2\r\nConnection: close\r\n')
  const text = readAll(server.port, requests)
  await waitFor(() => expect(requested).toHaveLength(2))
  first.push('id: 1\ndata: {}\n\n')
  first.push(null)
  const [, ...bodies] = (await text)
    .split(/HTTP\/1\.1 200 OK\r\n/)
    .map((response) => response.split('\r\n\r\n').slice(1).join('|'))
  expect(bodies).toEqual(['10\r\nid: 1\ndata: {}\n\n\r\n0|', '10\r\nid: 2\ndata: {}\n\n\r\n0|'])
})

test('sends all pending bytes to a client that has half-closed its connection', async () => {
  const bytes = 8 * 1024 * 1024
  const stream = new Readable({ highWaterMark: 2 * bytes, read: () => undefined })
  const served: Socket[] = []
  server = await openTestServer({
    features: { events: { follow: async () => stream } },
    beforeListen: (app) => app.server.on('connection', (connection) => served.push(connection)),
  })
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.pause()
  socket.write(rawRequest('1.1'))
  await waitFor(() => expect(stream.listenerCount('data')).toBe(1))
  stream.push(Buffer.alloc(bytes, 'x'))
  await waitFor(() => expect(served[0]?.writableNeedDrain).toBe(true))
  socket.end()
  await waitFor(() => expect(served[0]?.writable).toBe(false))
  stream.push('late')
  stream.resume()
  let read = 0
  for await (const piece of socket) read += (piece as Buffer).length
  expect(read).toBeGreaterThan(bytes)
})
