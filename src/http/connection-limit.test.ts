// The bound on connections: where it lies, and who is let in when all are taken.

import { connect, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { limitConnections } from './connection-limit.ts'

let server: TestServer
let sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  sockets = []
  await server.close()
})

/** What came back until it was closed, or until the first answer was there. */
function open(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () => void (bytes && socket.write(bytes)))
    sockets.push(socket)
    socket.setEncoding('latin1').once('data', resolve)
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(''))
  })
}

const get = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
const connections = () =>
  new Promise<number>((resolve) => server.app.server.getConnections((_, count) => resolve(count)))

test('there is room for every stream and for as many besides, and files are left for the rest', async () => {
  server = await openTestServer({ env: { MAX_STREAMS: '50' } })
  const { app } = server
  const bound = (maxStreams: number, openFiles: number) => {
    limitConnections(app, { maxStreams, openFiles })
    return app.server.maxConnections
  }
  expect(bound(10_000, 1_048_576)).toBe(20_000)
  expect(bound(10_000, Number.POSITIVE_INFINITY)).toBe(20_000)
  expect(bound(10_000, 16_384)).toBe(15_884)
  expect(bound(10_000, 600)).toBe(300)
})

test('every gateway has one', async () => {
  server = await openTestServer({ env: { MAX_STREAMS: '50' } })
  expect(server.app.server.maxConnections).toBeGreaterThan(0)
  expect(server.app.server.maxConnections).toBeLessThanOrEqual(10_050)
})

test('one too many is closed, and let in when another has gone', async () => {
  server = await openTestServer({ beforeListen: ({ server: node }) => (node.maxConnections = 5) })
  const silent = Array.from({ length: 5 }, () => open(''))
  await vi.waitFor(async () => expect(await connections()).toBe(5))
  expect(await open(get)).toBe('')
  sockets[0]?.destroy()
  await Promise.race(silent)
  await vi.waitFor(async () => expect(await open(get)).toMatch(/^HTTP\/1\.1 200 /))
})

test('connections that are only kept make room for who asks', async () => {
  server = await openTestServer({ beforeListen: ({ server: node }) => (node.maxConnections = 5) })
  for (let n = 0; n < 5; n += 1) expect(await open(get)).toMatch(/^HTTP\/1\.1 200 /)
  expect(await connections()).toBe(5)
  expect(await open(get)).toBe('')
  await vi.waitFor(async () => expect(await open(get)).toMatch(/^HTTP\/1\.1 200 /))
})
