import { connect, type Socket } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, expect, it, vi } from 'vitest'
import { openTestServer, rowId, type TestServer } from '../test-server.ts'

let server: TestServer
afterEach(() => server.close())

it('cuts the connection when the stream is ended in the middle, so that its reader comes back instead of waiting', async () => {
  const stream = new Readable({ read: () => undefined })
  server = await openTestServer({ services: { follow: async () => stream } })
  const socket = connect(server.port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  socket.on('error', () => undefined)
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(`GET /api/v1/presentations/${rowId}/events HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n\r\n`)
  stream.push('id: 1\ndata: {}\n\n')
  await vi.waitFor(() => expect(text).toContain('id: 1'))
  stream.destroy()
  await closed
  // Not as if that had been all.
  expect(text).not.toMatch(/\r\n0\r\n\r\n$/)
})

/** What a client reads that asks with these bytes, until the server closes. */
async function readAll(port: number, requests: string): Promise<string> {
  const socket = connect(port, '127.0.0.1')
  let text = ''
  socket.setEncoding('utf8').on('data', (piece: string) => (text += piece))
  const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()))
  socket.write(requests)
  await closed
  return text
}

const ask = (version: string, more = '') =>
  `GET /api/v1/presentations/${rowId}/events HTTP/${version}\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n${more}\r\n`

it('frames what it sends as chunks, the same bytes for all readers', async () => {
  const frames = ['id: 1\ndata: é\n\n', 'id: 2\ndata: {}\n\n'].map((text) => Buffer.from(text))
  server = await openTestServer({ services: { follow: async () => Readable.from(frames, { objectMode: false }) } })
  const read = () => readAll(server.port, ask('1.1', 'Connection: close\r\n'))
  for (const text of await Promise.all([read(), read()])) {
    expect(text).toMatch(/transfer-encoding: chunked/i)
    expect(text.split('\r\n\r\n').slice(1).join('\r\n\r\n')).toBe(
      '10\r\nid: 1\ndata: é\n\n\r\n10\r\nid: 2\ndata: {}\n\n\r\n0\r\n\r\n',
    )
  }
})

it('sends bare bytes to a client of HTTP/1.0', async () => {
  server = await openTestServer({ services: { follow: async () => Readable.from([Buffer.from('id: 1\ndata: {}\n\n')]) } })
  const text = await readAll(server.port, ask('1.0'))
  expect(text).not.toMatch(/transfer-encoding/i)
  expect(text.split('\r\n\r\n')[1]).toBe('id: 1\ndata: {}\n\n')
})

it('sends what was asked for on one connection in its order, whichever stream had its bytes first', async () => {
  const first = new Readable({ read: () => undefined })
  const streams = new Map([
    [1, first],
    [2, Readable.from([Buffer.from('id: 2\ndata: {}\n\n')])],
  ])
  const asked: number[] = []
  const follow = async ({ lastEventId }: { lastEventId: number }) => {
    asked.push(lastEventId)
    return streams.get(lastEventId)
  }
  server = await openTestServer({ services: { follow } })
  const requests = ask('1.1', 'Last-Event-ID: 1\r\n') + ask('1.1', 'Last-Event-ID: 2\r\nConnection: close\r\n')
  const text = readAll(server.port, requests)
  await vi.waitFor(() => expect(asked).toHaveLength(2))
  first.push('id: 1\ndata: {}\n\n')
  first.push(null)
  const [, ...bodies] = (await text).split(/HTTP\/1\.1 200 OK\r\n/).map((answer) => answer.split('\r\n\r\n').slice(1).join('|'))
  expect(bodies).toEqual(['10\r\nid: 1\ndata: {}\n\n\r\n0|', '10\r\nid: 2\ndata: {}\n\n\r\n0|'])
})

it('waits for a reader who does not take what is sent, and goes on when it does', async () => {
  let sent = 0
  const stream = new Readable({
    highWaterMark: 64 * 1024,
    read() {
      sent += 1
      this.push(sent > 800 ? null : Buffer.alloc(64 * 1024, 'x'))
    },
  })
  server = await openTestServer({ services: { follow: async () => stream } })
  const socket = connect(server.port, '127.0.0.1')
  socket.pause()
  socket.write(ask('1.1', 'Connection: close\r\n'))
  let held = -1
  await vi.waitFor(
    () => {
      const before = held
      held = sent
      expect([sent > 1, sent]).toEqual([true, before])
    },
    { interval: 100, timeout: 5_000 },
  )
  expect(sent).toBeLessThan(800)
  let bytes = 0
  for await (const piece of socket) bytes += (piece as Buffer).length
  expect(bytes).toBeGreaterThan(800 * 64 * 1024)
})

it('sends all that it had to a client who has said that it will send no more', async () => {
  const bytes = 8 * 1024 * 1024
  const stream = new Readable({ highWaterMark: 2 * bytes, read: () => undefined })
  const served: Socket[] = []
  server = await openTestServer({
    services: { follow: async () => stream },
    beforeListen: (app) => app.server.on('connection', (one) => served.push(one)),
  })
  const socket = connect({ port: server.port, host: '127.0.0.1', allowHalfOpen: true })
  socket.pause()
  socket.write(ask('1.1'))
  await vi.waitFor(() => expect(stream.listenerCount('data')).toBe(1))
  stream.push(Buffer.alloc(bytes, 'x'))
  await vi.waitFor(() => expect(served[0]?.writableNeedDrain).toBe(true))
  socket.end()
  await vi.waitFor(() => expect(served[0]?.writable).toBe(false))
  stream.push('late')
  stream.resume()
  let read = 0
  for await (const piece of socket) read += (piece as Buffer).length
  expect(read).toBeGreaterThan(bytes)
})
