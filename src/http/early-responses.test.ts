// A response to a request whose body is still coming reaches the client: at once, whole, and never
// destroyed by a reset. Clients that read only after writing are the hardest: proxies, blocking
// libraries.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { openRawClient, type RawClient } from '../sandbox/raw-client.ts'

const bytes = 9 * 1024 * 1024
const json = 'Content-Type: application/json\r\n'
const presentations = 'POST /api/v1/presentations HTTP/1.1'

let server: TestServer
/** Has used up its rate limit. */
let strictServer: TestServer
beforeAll(async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '100000' } })
  strictServer = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '1' } })
  await strictServer.call('/api/v1/templates')
})
const clients: RawClient[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.close()
})
afterAll(async () => {
  await server.close()
  await strictServer.close()
})

/** Status, request line, headers. `{auth}` is a valid token. */
const cases: [name: string, status: number, line: string, headers: string][] = [
  ['an invalid token', 401, presentations, `Authorization: Bearer x\r\n${json}`],
  ['no token', 401, presentations, json],
  ['HTTP/1.0', 401, 'POST /api/v1/presentations HTTP/1.0', json],
  ['the client closes', 401, presentations, `${json}Connection: close\r\n`],
  [
    'a foreign origin',
    403,
    presentations,
    `${json}Cookie: gateway_session=x\r\nOrigin: https://other.example\r\n`,
  ],
  ['an unknown path', 404, 'POST /nothing HTTP/1.1', `{auth}${json}`],
  ['an unknown path of the API', 404, 'PUT /api/v1/nothing HTTP/1.1', '{auth}'],
  ['another method of a path', 405, 'PUT /api/v1/presentations HTTP/1.1', ''],
  ['another method of health', 405, 'POST /health HTTP/1.1', json],
  ['another method of metrics', 405, 'DELETE /metrics HTTP/1.1', ''],
  ['another method of OpenAPI', 405, 'PUT /openapi.json HTTP/1.1', json],
  ['an unknown method', 405, 'PROPFIND /api/v1/templates HTTP/1.1', '{auth}'],
  ['a tunnel', 405, 'CONNECT example.com:443 HTTP/1.1', ''],
  ['another type', 415, presentations, '{auth}Content-Type: text/plain\r\n'],
  ['no type', 415, presentations, '{auth}'],
  ['an invalid type', 415, presentations, '{auth}Content-Type: nonsense\r\n'],
  ['an encoded body', 415, presentations, `{auth}${json}Content-Encoding: gzip\r\n`],
  ['the rate limit', 429, presentations, `{auth}${json}`],
  ['an unreadable path', 400, 'POST /%zz HTTP/1.1', `{auth}${json}`],
  ['two hosts', 400, presentations, `Host: y\r\n{auth}${json}`],
  ['an invalid header', 400, presentations, 'X: a\u0000b\r\n'],
  ['many headers', 431, presentations, 'X: y\r\n'.repeat(300)],
  ['large headers', 431, presentations, `X: ${'y'.repeat(40_000)}\r\n`],
  ['a body that no one reads', 200, 'GET /health/live HTTP/1.1', ''],
  ['a body of an anonymous route', 200, 'GET /openapi.json HTTP/1.1', '{auth}'],
]

function openClient(name: string, readsLater: boolean) {
  const { port, bearer } = name === 'the rate limit' ? strictServer : server
  const client = openRawClient({ port, readsLater })
  clients.push(client)
  const fill = (text: string) => text.replace('{auth}', `Authorization: ${bearer}\r\n`)
  return { client, fill }
}

/** Ends the client's side, too: the server then closes the connection without waiting. */
async function expectClose(client: RawClient) {
  expect(await client.ended()).toBe('closed')
  client.socket.end()
  await client.closed
  expect(client.errorCode()).toBeUndefined()
}

describe.each(['length', 'chunked'])('a body of 9 MiB, %s', (framing) => {
  const chunked = framing === 'chunked'
  const framingHeader = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${bytes}`
  const headOf = (line: string, headers: string) =>
    `${line}\r\nHost: x\r\n${headers}${framingHeader}\r\n\r\n`
  const framed = chunked ? cases.filter(([name]) => name !== 'HTTP/1.0') : cases

  test.each(framed)('%s: %i before the body, which is then read', async (name, status, ...head) => {
    const { client, fill } = openClient(name, false)
    await client.send(fill(headOf(...head)))
    // Only the first byte shows that a chunked body is not empty.
    if (chunked && status === 415) await client.send('1\r\nx\r\n')
    const [response] = await client.responses()
    expect(response).toMatchObject({ status, headers: { connection: 'close' } })
    expect(await client.sendBody(bytes, { chunked })).toBe(bytes)
    await expectClose(client)
  })

  test.each(framed)('%s: %i after the whole body', async (name, status, ...head) => {
    const { client, fill } = openClient(name, true)
    await client.send(fill(headOf(...head)))
    expect(await client.sendBody(bytes, { chunked })).toBe(bytes)
    client.readResponses()
    const responses = await client.responses()
    expect(responses.map((response) => response.status)).toEqual([status])
    expect(responses[0]?.body).toMatch(/\}$|^$/)
    await expectClose(client)
  })

  test('too large: 413 before the end of the body, which is then read', async () => {
    for (const readsLater of [false, true]) {
      const { client, fill } = openClient('', readsLater)
      await client.send(fill(headOf(presentations, `{auth}${json}`)))
      const start = chunked ? `800001\r\n${' '.repeat(0x800001)}\r\n` : ''
      if (start !== '') await client.send(start)
      if (!readsLater) expect((await client.responses())[0]?.status).toBe(413)
      expect(await client.sendBody(bytes, { chunked })).toBe(bytes)
      client.readResponses()
      expect((await client.responses()).map(({ status }) => status)).toEqual([413])
      await expectClose(client)
    }
  })
})

test.each(['{"content":"', '<html>', '['.repeat(50)])(
  'a body that starts with %s: 400 after its end, and the connection is kept',
  async (start) => {
    const { client, fill } = openClient('', true)
    const length = 5 * 1024 * 1024
    const head = fill(
      `${presentations}\r\nHost: x\r\n{auth}${json}Content-Length: ${length}\r\n\r\n`,
    )
    for (let n = 0; n < 2; n += 1) {
      await client.send(head + start)
      expect(await client.sendBody(length - start.length)).toBe(length - start.length)
    }
    client.readResponses()
    const responses = await client.responses(2)
    expect(responses.map(({ status }) => status)).toEqual([400, 400])
  },
)

test('a small body that has arrived: the connection is kept; the response does not matter', async () => {
  const { client, fill } = openClient('', false)
  const body = 'Content-Length: 8\r\n\r\n{"a": 1}'
  const requests = cases.filter(
    ([name, , line]) =>
      !/host|header|rate|closes|tunnel|unreadable/.test(name) && line.endsWith('1.1'),
  )
  for (const [n, [name, status, line, headers]] of requests.entries()) {
    await client.send(fill(`${line}\r\nHost: x\r\n${headers}${body}`))
    const response = (await client.responses(n + 1))[n]
    expect(response?.status, name).toBe(status)
    expect(response?.headers['connection'], name).not.toBe('close')
  }
})
