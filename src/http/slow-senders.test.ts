// Who sends slowly, or nothing at all, is waited for as long as honest callers may need, and then
// the connection ends.

import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import type { App } from './base.ts'

let server: TestServer
afterEach(() => server.close())

/** Node's own bounds, made short. The last of them it does not declare. */
function impatient({ server: node }: App) {
  Object.assign(node, {
    headersTimeout: 150,
    requestTimeout: 300,
    keepAliveTimeout: 300,
    connectionsCheckingInterval: 25,
  })
  node.setTimeout(600)
}

/**
 * Writes the bytes, then one more every few milliseconds for as long as the other side listens;
 * resolves with what came back.
 */
function drip(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    let timer: NodeJS.Timeout | undefined
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(bytes)
      timer = setInterval(() => socket.writable && socket.write('x'), 20)
    })
    socket.setEncoding('latin1').on('data', (data: string) => {
      answer += data
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(timer)
      resolve(answer)
    })
  })
}

test('no honest caller is too slow: the bounds of a head, a whole request and a silence', async () => {
  server = await openTestServer()
  const { headersTimeout, requestTimeout, timeout } = server.app.server
  expect({ headersTimeout, requestTimeout, timeout }).toEqual({
    headersTimeout: 20_000,
    requestTimeout: 60_000,
    timeout: 90_000,
  })
})

test('a head that comes byte by byte is given up, with a problem document', async () => {
  server = await openTestServer({ beforeListen: impatient })
  const answer = await drip('GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: ')
  expect(answer).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
  expect(answer).toMatch(/content-type: application\/problem\+json/)
  expect(answer).toMatch(/x-content-type-options: nosniff/)
  expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({
    status: 408,
    code: 'VALIDATION_FAILED',
  })
})

test('a body that comes byte by byte is given up, too, also one that is sent to nothing', async () => {
  server = await openTestServer({ beforeListen: impatient })
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{`
  expect(await drip(head('/api/v1/presentations'))).toMatch(/^HTTP\/1\.1 408 /)
  // Answered before its body came, it may not keep the connection for that.
  const unknown = await drip(head('/nothing'))
  expect(unknown).toMatch(/^HTTP\/1\.1 404 /)
})

test('a connection on which nothing comes, and one that is not used again, end', async () => {
  server = await openTestServer({ beforeListen: impatient })
  const silence = (bytes: string) =>
    new Promise<string>((resolve) => {
      let answer = ''
      const socket = connect(server.port, '127.0.0.1', () => void (bytes && socket.write(bytes)))
      socket.setEncoding('latin1').on('data', (data: string) => {
        answer += data
      })
      socket.on('error', () => undefined)
      socket.once('close', () => resolve(answer))
    })
  const [nothing, once] = await Promise.all([
    silence(''),
    silence('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'),
  ])
  expect(nothing).toMatch(/^(HTTP\/1\.1 408 .*)?$/s)
  expect(once).toMatch(/^HTTP\/1\.1 200 /)
})

test('who takes no byte of an answer is let go', async () => {
  server = await openTestServer({
    beforeListen: impatient,
    features: {
      operations: {
        metrics: async () => ({ contentType: 'text/plain', body: 'x'.repeat(50_000_000) }),
      },
    },
  })
  const ended = new Promise<void>((resolve) => {
    const socket = connect(server.port, '127.0.0.1', () =>
      socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n'),
    )
    socket.pause()
    socket.on('error', () => undefined)
    socket.once('close', () => resolve())
    // A paused socket learns of the end when it reads on.
    server.app.server.once('timeout', () => setImmediate(() => socket.resume()))
  })
  await ended
})
