// The SSE twin of a WebSocket: heartbeats, clients that read nothing, and how it ends.

import { afterEach, expect, test } from 'vitest'
import { rowId } from '../app/test-server.ts'
import { openReader } from '../sandbox/reader.ts'
import { openTestConnections, type TestConnections } from '../sandbox/test-connections.ts'

let connections: TestConnections
afterEach(() => connections.close())

async function openStarted() {
  const { server } = connections
  const url = `${server.url}/api/v1/realtime/sse/generation/${rowId}`
  const reader = await openReader(url, { token: await server.token() })
  await reader.expectNext('connected')
  await reader.expectNext('job_progress')
  const connection = [...connections.all()].at(-1)
  if (!connection) throw new Error('no connection is open')
  return { reader, connection }
}

const large = Buffer.from(JSON.stringify({ type: 'pong', filler: 'x'.repeat(32_000) }))
const nextTurn = () => new Promise((resolve) => setImmediate(resolve))

/** Sends until the sockets and the stream are full. */
async function fill({ connection }: Awaited<ReturnType<typeof openStarted>>) {
  let sentBytes = 0
  for (let full = 0; full < 50; full = connection.isReady() ? 0 : full + 1) {
    if (connection.isReady()) {
      connection.send(large)
      sentBytes += large.length
    }
    await nextTurn()
  }
  return sentBytes
}

test('sends a heartbeat after a silence, and none while messages are sent', async () => {
  connections = await openTestConnections()
  const { reader, connection } = await openStarted()
  connections.advance(14_000)
  connection.send(large)
  await reader.expectNext('pong')
  connections.advance(14_000)
  connection.send(large)
  await reader.expectNext('pong')
  expect(reader.comments).toBe(0)
  for (const count of [1, 2, 3]) {
    connections.advance(15_000)
    await expect.poll(() => reader.comments).toBe(count)
  }
  reader.close()
})

test('ends a connection that takes nothing for a minute, even if there is little to send', async () => {
  connections = await openTestConnections()
  const stalled = await openStarted()
  const quick = await openStarted()
  stalled.reader.pause()
  await fill(stalled)
  // The clock ticks every second: the first tick sees what was taken.
  connections.advance(1_000)
  for (let seconds = 0; seconds < 45; seconds += 15) connections.advance(15_000)
  expect(stalled.connection.isOpen()).toBe(true)
  quick.connection.send(large)
  await quick.reader.expectNext('pong')
  connections.advance(16_000)
  expect([...connections.all()]).toHaveLength(1)
  connections.advance(600_000)
  expect(quick.connection.isOpen()).toBe(true)
  stalled.reader.resume()
  expect(await stalled.reader.ended).toBe('broken')
  quick.reader.close()
})

test('keeps a slow client that takes some bytes', async () => {
  connections = await openTestConnections()
  const slow = await openStarted()
  slow.reader.pause()
  const bytes = await fill(slow)
  connections.advance(50_000)
  slow.reader.resume()
  await expect.poll(() => slow.reader.bytes).toBeGreaterThanOrEqual(bytes)
  connections.advance(50_000)
  expect(slow.connection.isOpen()).toBe(true)
  await expect.poll(() => slow.reader.comments).toBeGreaterThan(0)
  slow.reader.close()
})

test('ends a connection with more unsent bytes than its buffer holds', async () => {
  connections = await openTestConnections({ env: { WEBSOCKET_BUFFER_KIB: '64' } })
  const { reader, connection } = await openStarted()
  reader.pause()
  for (let n = 0; n < 1_000 && connection.isOpen(); n += 1) {
    connection.send(large)
    await nextTurn()
  }
  expect(connection.isOpen()).toBe(false)
  reader.resume()
  expect(await reader.ended).toBe('broken')
})

test('at a shutdown says when to reconnect, then ends', async () => {
  connections = await openTestConnections()
  const { reader } = await openStarted()
  connections.beginClosing()
  expect(await reader.rest()).toEqual([])
  expect(await reader.ended).toBe('clean')
  expect(reader.retry).toBeGreaterThan(0)
})
