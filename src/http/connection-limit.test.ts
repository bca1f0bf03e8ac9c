import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { limitConnections } from './connection-limit.ts'

let server: TestServer
let sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets = []
  await server.close()
})

/** Connects and writes `bytes`; resolves with the first data, or '' when the connection closes. */
function request(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => void (bytes && socket.write(bytes)))
    sockets.push(socket)
    socket.setEncoding('latin1').once('data', resolve)
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(''))
  })
}

const get = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
const countConnections = () =>
  new Promise<number>((resolve) => server.app.server.getConnections((_, count) => resolve(count)))

test('allows all streams and as many other connections, and reserves files for the process', async () => {
  server = await openTestServer({ env: { MAX_STREAMS: '50' } })
  const { app } = server
  const limitFor = (maxStreams: number, maxOpenFiles: number) => {
    limitConnections(app, { maxStreams, maxOpenFiles })
    return app.server.maxConnections
  }
  expect(limitFor(10_000, 1_048_576)).toBe(20_000)
  expect(limitFor(10_000, Number.POSITIVE_INFINITY)).toBe(20_000)
  expect(limitFor(10_000, 16_384)).toBe(15_884)
  expect(limitFor(10_000, 600)).toBe(300)
})

test('is set on every server', async () => {
  server = await openTestServer({ env: { MAX_STREAMS: '50', MAX_WEBSOCKETS: '7' } })
  expect(server.app.server.maxConnections).toBeGreaterThan(0)
  expect(server.app.server.maxConnections).toBeLessThanOrEqual(10_057)
})

test('closes a connection over the limit, and accepts one after another has closed', async () => {
  server = await openTestServer({ beforeListen: ({ server: node }) => (node.maxConnections = 5) })
  const idle = Array.from({ length: 5 }, () => request(''))
  await waitFor(async () => expect(await countConnections()).toBe(5))
  expect(await request(get)).toBe('')
  sockets[0]?.destroy()
  await Promise.race(idle)
  await waitFor(async () => expect(await request(get)).toMatch(/^HTTP\/1\.1 200 /))
})

test('closes idle connections when the limit is reached', async () => {
  server = await openTestServer({ beforeListen: ({ server: node }) => (node.maxConnections = 5) })
  for (let n = 0; n < 5; n += 1) expect(await request(get)).toMatch(/^HTTP\/1\.1 200 /)
  expect(await countConnections()).toBe(5)
  expect(await request(get)).toBe('')
  await waitFor(async () => expect(await request(get)).toMatch(/^HTTP\/1\.1 200 /))
})
