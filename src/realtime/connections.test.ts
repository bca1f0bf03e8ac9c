// The clock that ticks for all connections: it must not stop when the clock of the machine is set.

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Connections, createConnections } from './connections.ts'
import { openEventStream } from './event-stream.ts'

const startMs = Date.UTC(2026, 10, 27)
const heartbeatMs = 15_000
const tokenMs = 600_000

let connections: Connections
beforeEach(() => {
  vi.useFakeTimers({ now: startMs })
  connections = createConnections({
    maxWebSockets: 10,
    maxWebSocketsPerUser: 10,
    closing: new AbortController().signal,
  })
})
afterEach(() => {
  connections.close()
  vi.useRealTimers()
})

function open() {
  const { connection, stream } = openEventStream({
    userId: 'alice',
    expiresAtMs: startMs + tokenMs,
    now: connections.now,
    heartbeatMs,
    bufferBytes: 64 * 1024,
    countsMessages: true,
    openSession: () => ({
      onReady: () => undefined,
      onMessage: () => undefined,
      onClose: () => undefined,
    }),
    onClose: () => undefined,
  })
  connections.add('generation', connection)
  let text = ''
  stream.on('data', (bytes) => (text += bytes))
  return { connection, heartbeats: () => text.split(': \n\n').length - 1, text: () => text }
}

test('sends heartbeats when the clock of the machine is set back', async () => {
  const { connection, heartbeats } = open()
  await vi.advanceTimersByTimeAsync(heartbeatMs)
  expect(heartbeats()).toBe(1)
  vi.setSystemTime(startMs - 3_600_000)
  await vi.advanceTimersByTimeAsync(2 * heartbeatMs)
  expect(heartbeats()).toBe(3)
  expect(connection.isOpen()).toBe(true)
})

test('ends a connection when its token expires by the clock of the machine', async () => {
  const { connection, text } = open()
  await vi.advanceTimersByTimeAsync(heartbeatMs)
  expect(connection.isOpen()).toBe(true)
  vi.setSystemTime(startMs + tokenMs)
  await vi.advanceTimersByTimeAsync(1_000)
  expect(connection.isOpen()).toBe(false)
  expect(text()).toContain('TOKEN_EXPIRED')
})
