// An open WebSocket: its messages, limits, pings and close codes.

import { afterEach, expect, test } from 'vitest'
import { jobRow, openTestConnections, type TestConnections } from '../sandbox/test-connections.ts'

let connections: TestConnections
afterEach(() => connections.close())

const validationFailed = {
  type: 'error',
  error_code: 'VALIDATION_FAILED',
  message: 'The request is invalid.',
  details: {},
  timestamp: expect.any(String),
}

async function openStarted(options?: Parameters<TestConnections['open']>[0]) {
  const socket = await connections.open(options)
  await socket.expectNext('connected')
  await socket.expectNext('job_progress')
  return socket
}

test('reads messages that are sent with the upgrade, and responds to each with its request_id', async () => {
  connections = await openTestConnections()
  const socket = await connections.open()
  socket.send({ type: 'ping', request_id: 'x'.repeat(64), other: [1] })
  socket.send('{"type":"ping"}')
  const read = await socket.until(({ type, request_id }) => type === 'pong' && !request_id)
  expect(read.filter(({ type }) => type === 'pong')).toEqual([
    { type: 'pong', request_id: 'x'.repeat(64), timestamp: expect.any(String) },
    { type: 'pong', timestamp: expect.any(String) },
  ])
  expect(socket.socket.extensions).toBe('')
})

test('responds VALIDATION_FAILED to an invalid message, and stays open', async () => {
  connections = await openTestConnections()
  const socket = await openStarted()
  for (const text of ['', 'x', '[]', 'null', '7', '"ping"', '{"type":"ping"', '{}', '{"type":7}']) {
    socket.send(text)
    expect(await socket.expectNext('error'), text).toEqual(validationFailed)
  }
  for (const type of ['nothing', 'mark_read', 'connected', '__proto__', 'toString']) {
    socket.send({ type, request_id: '9' })
    expect(await socket.expectNext('error')).toEqual({ ...validationFailed, request_id: '9' })
  }
  for (const request_id of [7, null, {}, 'x'.repeat(65), '🚀'.repeat(65)]) {
    socket.send({ type: 'ping', request_id })
    expect(await socket.expectNext('error')).toEqual(validationFailed)
  }
  socket.send({ type: 'ping', request_id: '🚀'.repeat(64) })
  expect(await socket.expectNext('pong')).toMatchObject({ request_id: '🚀'.repeat(64) })
})

test('closes with 1009 after more than 64 KiB, with 1003 after a binary frame, with 1007 after bad UTF-8', async () => {
  connections = await openTestConnections()
  const large = await openStarted()
  large.send(`{"type":"ping","x":"${'x'.repeat(64 * 1024 - 22)}"}`)
  await large.expectNext('pong')
  large.send(`{"type":"ping","x":"${'x'.repeat(64 * 1024)}"}`)
  expect((await large.closed).code).toBe(1009)
  const binary = await openStarted()
  binary.socket.send(Buffer.from('{"type":"ping"}'))
  expect((await binary.closed).code).toBe(1003)
  const broken = await openStarted()
  broken.socket.send(Buffer.from([0xff, 0xfe]), { binary: false })
  expect((await broken.closed).code).toBe(1007)
})

test('drops messages beyond the rate, and closes with 1008 after a hundred in a minute', async () => {
  connections = await openTestConnections()
  const socket = await openStarted()
  for (let n = 0; n < 60 + 99; n += 1) socket.send({ type: 'ping', request_id: String(n) })
  await expect.poll(() => socket.received.length).toBe(2 + 60 + 99)
  const answers = socket.received.slice(2)
  expect(answers.slice(0, 60).every(({ type }) => type === 'pong')).toBe(true)
  expect(answers[60]).toEqual({
    ...validationFailed,
    error_code: 'RATE_LIMIT_EXCEEDED',
    message: 'Too many requests. Wait before the next one.',
  })
  // After a minute the drops are forgiven, and after a second the rate allows 20 again.
  connections.advance(61_000)
  socket.received.length = 0
  for (let n = 0; n < 60 + 150; n += 1) socket.send({ type: 'ping' })
  expect((await socket.closed).code).toBe(1008)
  const errors = socket.received.filter(({ type }) => type === 'error')
  expect([socket.received.length, errors.length]).toEqual([60 + 100, 100])
})

test('lets a client send as many messages as it may, for any time', async () => {
  connections = await openTestConnections()
  const socket = await openStarted()
  for (let second = 0; second < 10; second += 1) {
    for (let n = 0; n < 20; n += 1) socket.send({ type: 'ping' })
    for (let n = 0; n < 20; n += 1) await socket.expectNext('pong')
    connections.advance(1_000)
  }
})

test('drops a message beyond the rate without reading it', async () => {
  connections = await openTestConnections()
  const socket = await openStarted()
  for (let n = 0; n < 60; n += 1) socket.send({ type: 'ping' })
  for (let n = 0; n < 60; n += 1) await socket.expectNext('pong')
  for (const text of ['{', '{"type":"ping","request_id":7}', '{"type":"ping","request_id":"7"}']) {
    socket.send(text)
    const { request_id: requestId, ...error } = await socket.expectNext('error')
    expect([error.error_code, requestId]).toEqual(['RATE_LIMIT_EXCEEDED', undefined])
  }
})

test('pings every 30 s, and ends a connection after two unanswered pings', async () => {
  connections = await openTestConnections()
  const [alive, dead] = [await openStarted(), await openStarted({ autoPong: false })]
  for (const round of [1, 2]) {
    connections.advance(29_000)
    connections.advance(1_000)
    await expect.poll(() => [alive.pings(), dead.pings()]).toEqual([round, round])
    // The pong of the first one has arrived before the answer to this.
    alive.send({ type: 'ping' })
    await alive.expectNext('pong')
  }
  connections.advance(30_000)
  expect((await dead.closed).code).toBe(1006)
  await expect.poll(() => alive.pings()).toBe(3)
})

test('ends with TOKEN_EXPIRED and 4401 when the token does', async () => {
  connections = await openTestConnections()
  const token = await connections.server.token('alice', '1m')
  const socket = await openStarted({ token })
  connections.advance(20_000)
  socket.send({ type: 'ping' })
  await socket.expectNext('pong')
  connections.advance(600_000)
  expect(await socket.expectNext('error')).toMatchObject({ error_code: 'TOKEN_EXPIRED' })
  expect((await socket.closed).code).toBe(4401)
})

test('at a shutdown closes all with 1012 and the jittered ms to wait', async () => {
  connections = await openTestConnections()
  const sockets = await Promise.all(Array.from({ length: 8 }, () => openStarted()))
  connections.beginClosing()
  const ends = await Promise.all(sockets.map(({ closed }) => closed))
  for (const { code, reason } of ends) {
    expect(code).toBe(1012)
    expect(reason).toMatch(/^[1-5]\d{3}$/)
    expect(Number(reason)).toBeLessThanOrEqual(5_000)
  }
  expect(new Set(ends.map(({ reason }) => reason)).size).toBeGreaterThan(1)
})

test('limits the WebSockets of a user and of the replica, and frees the place of a closed one', async () => {
  connections = await openTestConnections({
    env: { MAX_WEBSOCKETS: '3', MAX_WEBSOCKETS_PER_USER: '2' },
  })
  const [first] = [await openStarted(), await openStarted()]
  await expect(openStarted()).rejects.toThrow('TOO_MANY_CONNECTIONS')
  await first.close()
  await expect.poll(() => connections.connections.openWebSockets().generation).toBe(1)
  await openStarted()
})

test('closes with 1013 a client that does not read, without delaying others', async () => {
  connections = await openTestConnections({ env: { WEBSOCKET_BUFFER_KIB: '64' } })
  const [slow, quick] = [await openStarted(), await openStarted()]
  const [slowConnection] = [...connections.all()]
  slow.pause()
  const message = Buffer.from(JSON.stringify({ type: 'pong', filler: 'x'.repeat(32_000) }))
  for (let n = 0; n < 1_000 && slowConnection?.isOpen(); n += 1) {
    slowConnection?.send(message)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(slowConnection?.isOpen()).toBe(false)
  quick.send({ type: 'ping' })
  await quick.expectNext('pong')
  slow.resume()
  expect((await slow.closed).code).toBe(1013)
})

test('responds to pings with their payload, and closes with 1013 a client that takes no pong', async () => {
  connections = await openTestConnections({ env: { WEBSOCKET_BUFFER_KIB: '64' } })
  const socket = await openStarted()
  const pong = new Promise((resolve) => socket.socket.once('pong', (data) => resolve(String(data))))
  socket.socket.ping('payload')
  expect(await pong).toBe('payload')
  const [connection] = [...connections.all()]
  socket.pause()
  const payload = 'x'.repeat(125)
  while (connection?.isOpen()) {
    for (let n = 0; n < 1_000; n += 1) socket.socket.ping(payload)
    await new Promise((resolve) => setImmediate(resolve))
  }
  socket.resume()
  expect((await socket.closed).code).toBe(1013)
})

test('sends a state that came while pongs filled the buffer, once they are taken', async () => {
  connections = await openTestConnections()
  const socket = await openStarted()
  const [connection] = [...connections.all()]
  socket.pause()
  while (connection?.isReady()) {
    for (let n = 0; n < 1_000; n += 1) socket.socket.ping('x'.repeat(125))
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(connection?.isOpen()).toBe(true)
  connections.job.take({ ...jobRow, status: 'awaiting_outlines', stage: null, lastSeq: 2 }, [])
  socket.resume()
  expect((await socket.expectNext('job_progress')).data).toMatchObject({
    status: 'awaiting_outlines',
  })
})
