// What a body may cost before it is refused: who sends it is known first, one user's bodies fill no
// memory, and nothing is parsed that is built too large.

import { connect, type Socket } from 'node:net'
import { afterEach, expect, test, vi } from 'vitest'
import { openTestServer, problemOf, type TestServer } from '../../app/test-server.ts'

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

/** A connection of its own on which this is written; `answer` is the first that came back. */
async function send(text: string) {
  const socket = connect(server.port, '127.0.0.1')
  sockets.push(socket)
  const answer = new Promise<string>((resolve) => {
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
  return { socket, answer }
}

test('who is not known, or asks too often, is refused before a byte of the body came', async () => {
  server = await openTestServer({ env: { RATE_LIMIT_PER_MINUTE: '1' } })
  expect(await (await send(head('Bearer nonsense', 8_000_000))).answer).toMatch(/^HTTP\/1\.1 401 /)
  expect((await server.post(path, { content: 'x' })).status).toBe(202)
  expect(await (await send(head(server.bearer, 8_000_000))).answer).toMatch(/^HTTP\/1\.1 429 /)
})

test('what is nested deep or has very many members is refused without being parsed, and its sender heard out', async () => {
  server = await openTestServer()
  const parse = vi.spyOn(JSON, 'parse')
  const bodies: [string, RegExp, string][] = [
    [`{"content":${'['.repeat(50_000)}${']'.repeat(50_000)}}`, /nested/, '/content'],
    [`${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`, /nested/, '/a'],
    [`[${'1,'.repeat(4 * mib - 2)}1]`, /members/, ''],
  ]
  for (const [body, message, where] of bodies) {
    const answer = await server.post(path, body)
    const problem = await problemOf(answer)
    expect(problem).toMatchObject({
      status: 400,
      code: 'VALIDATION_FAILED',
      errors: [{ path: where, message: expect.stringMatching(message) }],
    })
  }
  expect(parse.mock.calls.filter(([text]) => text.length > 10_000)).toEqual([])
  expect((await server.post(path, { content: '[[[['.repeat(1_000) })).status).toBe(202)
})

test('a key that reaches for a prototype is called what it is', async () => {
  server = await openTestServer()
  for (const body of [
    '{"content":"x","__proto__":{}}',
    '{"content":"x","metadata":{"constructor":{"prototype":{}}}}',
  ]) {
    const answer = await server.post(path, body)
    expect(await problemOf(answer)).toMatchObject({
      status: 400,
      errors: [{ path: '', message: expect.stringContaining('__proto__') }],
    })
  }
})

test.each([8_000_000, 'chunked' as const])(
  "one user's slow large bodies (%s) wait for each other, and hold up nobody else",
  async (length) => {
    server = await openTestServer()
    const begun = length === 'chunked' ? `30000\r\n${' '.repeat(0x30000)}\r\n` : ' '
    const slow = []
    for (let n = 0; n < 17; n += 1) slow.push(await send(`${head(server.bearer, length)}${begun}`))
    // Sixteen wait, one is read; the next is one too many. Which of them, the kernel says.
    const refused = await Promise.race([
      ...slow.map(({ answer }) => answer),
      (await send(`${head(server.bearer, length)}${begun}`)).answer,
    ])
    expect(refused).toMatch(/^HTTP\/1\.1 429 .*retry-after: \d+.*"RATE_LIMIT_EXCEEDED"/s)

    const bob = { authorization: `Bearer ${await server.token('bob')}` }
    expect((await server.post(path, { content: 'x'.repeat(90_000) }, bob)).status).toBe(202)
    expect((await server.post(path, { content: 'small' })).status).toBe(202)

    // Those who are let go make room.
    const last = server.post(path, { content: 'x'.repeat(90_000) })
    for (const { socket } of slow) socket.destroy()
    for (const socket of sockets) socket.destroy()
    expect((await last).status).toBeOneOf([202, 429])
    await vi.waitFor(
      async () =>
        expect((await server.post(path, { content: 'x'.repeat(90_000) })).status).toBe(202),
      {
        timeout: 10_000,
      },
    )
  },
)

test('a body in pieces is as good as one that says its length, up to the same bound', async () => {
  server = await openTestServer()
  const chunked = (bytes: number) => {
    const body = `{"content":"${'x'.repeat(bytes - 14)}"}`
    return `${head(server.bearer, 'chunked')}${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`
  }
  expect(await (await send(chunked(90_000))).answer).toMatch(/^HTTP\/1\.1 202 /)
  expect(await (await send(chunked(8 * mib))).answer).toMatch(/^HTTP\/1\.1 400 .*\/content/s)
  expect(await (await send(chunked(8 * mib + 1))).answer).toMatch(/^HTTP\/1\.1 413 /)
})
