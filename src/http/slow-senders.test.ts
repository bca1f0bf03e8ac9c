// Timeouts of slow and idle connections, long enough for slow but healthy clients.

import { connect } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import type { App } from './base.ts'

let server: TestServer
afterEach(() => server.close())

/** Shortens Node's timeouts. Node's types lack `connectionsCheckingInterval`. */
function shortenTimeouts({ server: node }: App) {
  Object.assign(node, {
    headersTimeout: 150,
    requestTimeout: 300,
    keepAliveTimeout: 300,
    connectionsCheckingInterval: 25,
  })
  node.setTimeout(600)
}

/**
 * Writes the text, then one byte every 20 ms until the connection closes; resolves with the
 * response.
 */
function sendSlowly(bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let response = ''
    let timer: NodeJS.Timeout | undefined
    const socket = connect(server.port, '127.0.0.1', () => {
      socket.write(bytes)
      timer = setInterval(() => socket.writable && socket.write('x'), 20)
    })
    socket.setEncoding('latin1').on('data', (data: string) => {
      response += data
    })
    socket.on('error', () => undefined)
    socket.once('close', () => {
      clearInterval(timer)
      resolve(response)
    })
  })
}

test('has timeouts for the head, the whole request and an idle connection', async () => {
  server = await openTestServer()
  const { headersTimeout, requestTimeout, timeout } = server.app.server
  expect({ headersTimeout, requestTimeout, timeout }).toEqual({
    headersTimeout: 20_000,
    requestTimeout: 60_000,
    timeout: 90_000,
  })
})

test('returns 408 with a problem document for a head sent byte by byte', async () => {
  server = await openTestServer({ beforeListen: shortenTimeouts })
  const response = await sendSlowly('GET /health/live HTTP/1.1\r\nHost: x\r\nX-A: ')
  expect(response).toMatch(/^HTTP\/1\.1 408 Request Timeout\r\n/)
  expect(response).toMatch(/content-type: application\/problem\+json/)
  expect(response).toMatch(/x-content-type-options: nosniff/)
  expect(JSON.parse(response.slice(response.indexOf('\r\n\r\n')))).toMatchObject({
    status: 408,
    code: 'REQUEST_TIMEOUT',
  })
})

test('returns 408 for a body sent byte by byte, and does not wait for the body of an unknown route', async () => {
  server = await openTestServer({ beforeListen: shortenTimeouts })
  const head = (path: string) =>
    `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\nContent-Type: application/json\r\nContent-Length: 8000000\r\n\r\n{`
  expect(await sendSlowly(head('/api/v1/presentations'))).toMatch(/^HTTP\/1\.1 408 /)
  // The response precedes the body, and the connection is closed all the same.
  const unknown = await sendSlowly(head('/nothing'))
  expect(unknown).toMatch(/^HTTP\/1\.1 404 /)
})

test('closes connections without a request and kept-alive ones without another', async () => {
  server = await openTestServer({ beforeListen: shortenTimeouts })
  const waitForClose = (bytes: string) =>
    new Promise<string>((resolve) => {
      let response = ''
      const socket = connect(server.port, '127.0.0.1', () => void (bytes && socket.write(bytes)))
      socket.setEncoding('latin1').on('data', (data: string) => {
        response += data
      })
      socket.on('error', () => undefined)
      socket.once('close', () => resolve(response))
    })
  const [idle, keptAlive] = await Promise.all([
    waitForClose(''),
    waitForClose('GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'),
  ])
  expect(idle).toMatch(/^(HTTP\/1\.1 408 .*)?$/s)
  expect(keptAlive).toMatch(/^HTTP\/1\.1 200 /)
})

test('disconnects a client that reads no byte of the response', async () => {
  server = await openTestServer({
    beforeListen: shortenTimeouts,
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
    // A paused socket notices the close only when it reads again.
    server.app.server.once('timeout', () => setImmediate(() => socket.resume()))
  })
  await ended
})
