// `Expect: 100-continue` (RFC 9110, section 10.1.1): a client that waits before it sends its body
// gets either 100, because the body is wanted, or its response at once.

import { afterEach, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { openRawClient, type RawClient } from '../sandbox/raw-client.ts'

let server: TestServer
const clients: RawClient[] = []
afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  await server.close()
})

function openClient(): RawClient {
  const client = openRawClient({ port: server.port })
  clients.push(client)
  return client
}

const body = '{"content":"x"}'
const json = 'Content-Type: application/json\r\n'
const expectation = 'Expect: 100-continue\r\n'
const request = (headers: string, line = 'POST /api/v1/presentations HTTP/1.1') =>
  `${line}\r\nHost: x\r\n${headers}${expectation}\r\n`
const length = `Content-Length: ${body.length}\r\n`
const auth = () => `Authorization: ${server.bearer}\r\n`
const continued = /^HTTP\/1\.1 100 Continue\r\n\r\n/

test('a valid request gets 100, sends its body, and gets its response', async () => {
  server = await openTestServer()
  for (const [framing, sent] of [
    [length, body],
    ['Transfer-Encoding: chunked\r\n', `f\r\n${body}\r\n0\r\n\r\n`],
  ] as const) {
    const client = openClient()
    await client.send(request(auth() + json + framing))
    await client.receivedMatch(/100 Continue\r\n\r\n/)
    expect(client.received()).toMatch(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    await client.send(sent)
    expect((await client.responses())[0]?.status).toBe(202)
    // The connection is kept for a next request, with or without an expectation.
    await client.send(request(auth() + json + framing))
    await client.receivedMatch(/100 Continue.*100 Continue/s)
    await client.send(sent)
    expect((await client.responses(2))[1]?.status).toBe(202)
  }
})

test('a large valid request gets 100 once, when there is memory for its body', async () => {
  server = await openTestServer()
  const large = `{"content":"${'x'.repeat(90_000)}"}`
  const client = openClient()
  await client.send(request(`${auth()}${json}Content-Length: ${large.length}\r\n`))
  await client.receivedMatch(continued)
  await client.send(large)
  expect((await client.responses())[0]?.status).toBe(202)
  expect(client.received().match(/100 Continue/g)).toHaveLength(1)
})

test('a request that is refused gets its response instead of 100', async () => {
  server = await openTestServer()
  const large = 'Content-Length: 9000000\r\n'
  const cases: [status: number, headers: string, line?: string][] = [
    [401, json + large],
    [401, `Authorization: Bearer x\r\n${json}${length}`],
    [403, `${json}${length}Cookie: gateway_session=x\r\nOrigin: https://other.example\r\n`],
    [404, auth() + json + length, 'POST /nothing HTTP/1.1'],
    [404, auth() + json + length, 'POST /api/v1/nothing HTTP/1.1'],
    [405, auth() + json + length, 'PUT /api/v1/presentations HTTP/1.1'],
    [405, json + length, 'POST /health HTTP/1.1'],
    [413, auth() + json + large],
    [415, `${auth()}${length}`],
    [415, `${auth()}${length}Content-Type: text/plain\r\n`],
    [415, `${auth()}Content-Type: text/plain\r\nTransfer-Encoding: chunked\r\n`],
    [415, `${auth()}${json}${length}Content-Encoding: gzip\r\n`],
    [400, auth() + json + length, 'POST /%zz HTTP/1.1'],
    [400, `${auth()}${json}${length}Host: y\r\n`],
    [431, auth() + json + length + 'X: y\r\n'.repeat(300)],
    [200, length, 'GET /health/live HTTP/1.1'],
  ]
  for (const [status, headers, line] of cases) {
    const client = openClient()
    await client.send(request(headers, line))
    const [response] = await client.responses()
    expect(response, headers).toMatchObject({ status, headers: { connection: 'close' } })
    // The client may send its body all the same.
    expect(await client.sendBody(1_000_000)).toBe(1_000_000)
    expect(await client.ended()).toBe('closed')
    expect(client.received()).not.toContain('100 Continue')
    expect(client.errorCode()).toBeUndefined()
  }
})

test('429 comes instead of 100', async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '1' } })
  await server.call('/api/v1/templates')
  const client = openClient()
  await client.send(request(auth() + json + length))
  expect((await client.responses())[0]?.status).toBe(429)
  expect(client.received()).not.toContain('100 Continue')
})

test('a body that comes without waiting is read as well', async () => {
  server = await openTestServer()
  const client = openClient()
  await client.send(request(auth() + json + length) + body)
  expect((await client.responses())[0]?.status).toBe(202)
})

test('a client of HTTP/1.0, or with another expectation, gets no 100', async () => {
  server = await openTestServer()
  const old = openClient()
  await old.send(`${request(auth() + json + length, 'POST /api/v1/presentations HTTP/1.0')}${body}`)
  expect((await old.responses())[0]?.status).toBe(202)
  const other = openClient()
  await other.send(
    `${request(auth() + json + length).replace(expectation, 'Expect: something\r\n')}${body}`,
  )
  expect((await other.responses())[0]?.status).toBe(202)
  expect(old.received() + other.received()).not.toContain('100 Continue')
})
