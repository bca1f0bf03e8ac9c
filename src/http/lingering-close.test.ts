// The bounds of a lingering close: bytes, time, memory, the shutdown; and that nothing of a
// discarded body is taken for a request.

import { afterEach, expect, test, vi } from 'vitest'
import { openTestServer, type TestServer } from '../app/test-server.ts'
import { openRawClient, type RawClient } from '../sandbox/raw-client.ts'
import { waitFor } from '../sandbox/wait-for.ts'

const mib = 1024 * 1024
let server: TestServer
const clients: RawClient[] = []
afterEach(async () => {
  vi.useRealTimers()
  for (const client of clients.splice(0)) client.close()
  await server.close()
})

function openClient(): RawClient {
  const client = openRawClient({ port: server.port })
  clients.push(client)
  return client
}

const unauthorized = (framing: string) =>
  `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`

const countConnections = () =>
  new Promise<number>((resolve) => server.app.server.getConnections((_, count) => resolve(count)))

/** Gets a 401 for a request whose body does not come. */
async function refuse(framing = 'Content-Length: 1000000'): Promise<RawClient> {
  const client = openClient()
  await client.send(unauthorized(framing))
  expect((await client.responses())[0]?.status).toBe(401)
  expect(await client.ended()).toBe('closed')
  return client
}

test.each([true, false])('discards 64 MiB at most, chunked: %s', async (chunked) => {
  server = await openTestServer()
  const client = await refuse(chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${2 ** 40}`)
  expect(await client.sendBody(60 * mib, { chunked })).toBe(60 * mib)
  // Beyond what the buffers of the system hold, the client notices the reset.
  expect(await client.sendBody(200 * mib, { chunked })).toBeLessThan(100 * mib)
  await client.closed
  expect(client.errorCode()).toBeOneOf(['ECONNRESET', 'EPIPE'])
})

test('closes the connection 30 s after the response, whether the client sends or not', async () => {
  server = await openTestServer()
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  await refuse()
  const sending = await refuse()
  vi.advanceTimersByTime(29_999)
  expect(await sending.sendBody(1_000)).toBe(1_000)
  expect(await countConnections()).toBe(2)
  vi.advanceTimersByTime(1)
  await waitFor(async () => expect(await countConnections()).toBe(0))
})

test('counts connections that linger, and frees their places', async () => {
  server = await openTestServer({ beforeListen: ({ server: node }) => (node.maxConnections = 3) })
  const lingering = [await refuse(), await refuse(), await refuse()]
  expect(await countConnections()).toBe(3)
  const refused = openClient()
  expect(await refused.ended()).toBeOneOf(['closed', 'reset'])
  expect(refused.received()).toBe('')
  lingering[0]?.socket.end()
  await lingering[0]?.closed
  await waitFor(async () => expect(await countConnections()).toBe(2))
  await refuse()
})

test('takes nothing in a discarded body for a request', async () => {
  const accept = vi.fn()
  server = await openTestServer({ features: { presentations: { accept } } })
  const { bearer } = server
  const body = '{"content":"x"}'
  const accepted = `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  for (const [framing, rest] of [
    ['Content-Length: 100000', accepted.repeat(500)],
    ['Content-Length: 10', `0123456789${accepted}`],
    ['Transfer-Encoding: chunked', `5\r\n12345\r\n0\r\n\r\n${accepted}`],
    ['Transfer-Encoding: chunked', `no chunk\r\n${accepted}`],
  ] as const) {
    const client = await refuse(framing)
    await client.send(rest)
    client.socket.end()
    await client.closed
    expect(client.received().match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 401'])
  }
  expect(accept).not.toHaveBeenCalled()
})

test('serves a request behind a refused body that has arrived', async () => {
  server = await openTestServer()
  const client = openClient()
  const next = 'GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n'
  await client.send(`${unauthorized('Content-Length: 10')}0123456789${next}`)
  await client.send(`${unauthorized('Transfer-Encoding: chunked')}3\r\nabc\r\n0\r\n\r\n${next}`)
  const statuses = (await client.responses(4)).map(({ status }) => status)
  expect(statuses).toEqual([401, 200, 401, 200])
})

test('writes the responses of earlier requests first', async () => {
  let finish = () => {}
  const listTemplates = () => new Promise<never[]>((resolve) => (finish = () => resolve([])))
  server = await openTestServer({ features: { templates: { listTemplates } } })
  const client = openClient()
  await client.send(
    `GET /api/v1/templates HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\n\r\n${unauthorized('Content-Length: 9000000')}`,
  )
  await waitFor(() => expect(server.lines.join('')).toMatch(/AUTHENTICATION_FAILED/))
  expect(await client.sendBody(9_000_000)).toBe(9_000_000)
  finish()
  expect((await client.responses(2)).map(({ status }) => status)).toEqual([200, 401])
  expect(await client.ended()).toBe('closed')
})

test('a shutdown gives connections that linger one second', async () => {
  server = await openTestServer()
  const [silent, sending] = [await refuse(), await refuse()]
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const closed = server.close()
  expect(await sending.sendBody(mib)).toBe(mib)
  sending.socket.end()
  await sending.closed
  expect(sending.errorCode()).toBeUndefined()
  await vi.advanceTimersByTimeAsync(1_000)
  await closed
  silent.close()
})

test('a request that came too slowly gets 408, one with an invalid chunk 400', async () => {
  server = await openTestServer({
    beforeListen: ({ server: node }) =>
      Object.assign(node, {
        headersTimeout: 150,
        requestTimeout: 300,
        connectionsCheckingInterval: 25,
      }),
  })
  const head = (framing: string) =>
    `POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nAuthorization: ${server.bearer}\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`
  const cases: [text: string, status: number][] = [
    [`${head('Content-Length: 9000')}{`, 408],
    [`${head('Transfer-Encoding: chunked')}1\r\n{\r\n`, 408],
    ['POST /api/v1/presentations HTTP/1.1\r\nHost: x\r\nX-A: ', 408],
    [`${head('Transfer-Encoding: chunked')}1\r\n{\r\nnonsense\r\n`, 400],
  ]
  for (const [text, status] of cases) {
    const client = openClient()
    await client.send(text)
    const [response] = await client.responses()
    expect(response).toMatchObject({ status, headers: { connection: 'close' } })
    expect(JSON.parse(response?.body ?? '')).toMatchObject({ status })
    expect(await client.sendBody(9 * mib)).toBe(9 * mib)
    expect(await client.ended()).toBe('closed')
    client.socket.end()
    await client.closed
    expect(client.errorCode()).toBeUndefined()
  }
})

test('keeps no memory of refused bodies', async () => {
  server = await openTestServer()
  const held = () => process.memoryUsage().external + process.memoryUsage().arrayBuffers
  const lingering = []
  const before = held()
  for (let n = 0; n < 30; n += 1) {
    const client = await refuse('Transfer-Encoding: chunked')
    expect(await client.sendBody(4 * mib, { chunked: true })).toBe(4 * mib)
    lingering.push(client)
  }
  expect(await countConnections()).toBe(lingering.length)
  expect(held() - before).toBeLessThan(60 * mib)
})
