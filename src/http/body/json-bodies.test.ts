// Limits on the cost of a body: no body before authentication, bounded memory per user, no parsing
// of a body that is nested too deep or too wide.

import { connect, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { openTestServer, problemOf, type TestServer } from '../../app/test-server.ts'
import type { Problem } from '../../domain/problem.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import { parseJson } from './json-bodies.ts'

const path = '/api/v1/presentations'
const mib = 1024 * 1024
let server: TestServer
let sockets: Socket[] = []
afterEach(async () => {
  vi.restoreAllMocks()
  for (const socket of sockets) socket.destroy()
  sockets = []
  await server.close()
})

const head = (bearer: string, length: number | 'chunked') =>
  `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer}\r\nContent-Type: application/json\r\n${
    length === 'chunked' ? 'Transfer-Encoding: chunked' : `Content-Length: ${length}`
  }\r\n\r\n`

/** Writes the text to a new connection; `response` is the first response, as text. */
async function send(text: string) {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  const response = new Promise<string>((resolve) => {
    let all = ''
    socket.setEncoding('latin1').on('data', (data: string) => {
      all += data
      const [, length] = /content-length: (\d+)/i.exec(all) ?? []
      if (length !== undefined && all.slice(all.indexOf('\r\n\r\n') + 4).length >= Number(length))
        resolve(all)
    })
    socket.on('error', () => undefined)
    socket.once('close', () => resolve(all))
  })
  await new Promise<void>((resolve) => socket.write(text, () => resolve()))
  return { socket, response }
}

test('returns 401 and 429 before any byte of the body arrives', async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '1' } })
  expect(await (await send(head('Bearer nonsense', 8_000_000))).response).toMatch(
    /^HTTP\/1\.1 401 /,
  )
  expect((await server.post(path, { content: 'x' })).status).toBe(202)
  expect(await (await send(head(server.bearer, 8_000_000))).response).toMatch(/^HTTP\/1\.1 429 /)
})

test('returns 400 for deep or wide JSON without parsing it, after reading all of it', async () => {
  server = await openTestServer()
  const parse = vi.spyOn(JSON, 'parse')
  const cases: [body: string, message: RegExp, path: string][] = [
    [`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, /nested/, '/content'],
    [`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, /nested/, '/a'],
    [`[${'1,'.repeat(4 * mib - 2)}1]`, /members/, ''],
  ]
  for (const [body, message, errorPath] of cases) {
    expect(await problemOf(await server.post(path, body))).toMatchObject({
      status: 400,
      code: 'VALIDATION_FAILED',
      errors: [{ path: errorPath, message: expect.stringMatching(message) }],
    })
  }
  expect(parse.mock.calls.filter(([text]) => text.length > 10_000)).toEqual([])
  expect((await server.post(path, { content: '[[[['.repeat(1_000) })).status).toBe(202)
})

test('names the prototype keys that it refuses', async () => {
  server = await openTestServer()
  for (const body of [
    '{"content":"x","__proto__":{}}',
    '{"content":"x","metadata":{"constructor":{"prototype":{}}}}',
  ]) {
    expect(await problemOf(await server.post(path, body))).toMatchObject({
      status: 400,
      errors: [{ path: '', message: expect.stringContaining('__proto__') }],
    })
  }
})

test.each([8_000_000, 'chunked' as const])(
  "limits one user's slow large bodies (%s) without delaying other users",
  async (length) => {
    server = await openTestServer()
    const start = length === 'chunked' ? `30000\r\n${' '.repeat(0x30000)}\r\n` : ' '
    const slow = []
    for (let n = 0; n < 17; n += 1) slow.push(await send(`${head(server.bearer, length)}${start}`))
    // One is read and sixteen wait, so one of the eighteen is refused.
    const refused = await Promise.race([
      ...slow.map(({ response }) => response),
      (await send(`${head(server.bearer, length)}${start}`)).response,
    ])
    expect(refused).toMatch(/^HTTP\/1\.1 429 .*retry-after: \d+.*"RATE_LIMIT_EXCEEDED"/s)

    const bob = { authorization: `Bearer ${await server.token('bob')}` }
    expect((await server.post(path, { content: 'x'.repeat(90_000) }, bob)).status).toBe(202)
    expect((await server.post(path, { content: 'small' })).status).toBe(202)

    // Closed connections release their reservations.
    const last = server.post(path, { content: 'x'.repeat(90_000) })
    for (const { socket } of slow) socket.destroy()
    for (const socket of sockets) socket.destroy()
    expect((await last).status).toBeOneOf([202, 429])
    await waitFor(async () =>
      expect((await server.post(path, { content: 'x'.repeat(90_000) })).status).toBe(202),
    )
  },
)

test('accepts chunked bodies up to the same size as bodies with a length', async () => {
  server = await openTestServer()
  const chunked = (bytes: number) => {
    const body = `{"content":"${'x'.repeat(bytes - 14)}"}`
    return `${head(server.bearer, 'chunked')}${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  }
  expect(await (await send(chunked(90_000))).response).toMatch(/^HTTP\/1\.1 202 /)
  expect(await (await send(chunked(8 * mib))).response).toMatch(/^HTTP\/1\.1 400 .*\/content/s)
  expect(await (await send(chunked(8 * mib + 1))).response).toMatch(/^HTTP\/1\.1 413 /)
})

test('parseJson refuses prototype keys at any depth, and no harmless ones', () => {
  const errorOf = (text: string) => {
    try {
      parseJson(Buffer.from(text))
      return undefined
    } catch (error) {
      return (error as Problem).errors?.[0]?.message
    }
  }
  for (const text of [
    '{"__proto__":1}',
    '[{"a":{"\\u005f_proto__":{}}}]',
    '{"a":[1,{"constructor":{"prototype":1}}]}',
  ])
    expect(errorOf(text), text).toMatch(/__proto__/)
  for (const text of [
    'null',
    '1',
    '"__proto__"',
    '{"constructor":1}',
    '{"constructor":{"a":1}}',
    '{"prototype":{}}',
    '{"proto":"__proto__"}',
  ])
    expect(errorOf(text), text).toBeUndefined()
})
