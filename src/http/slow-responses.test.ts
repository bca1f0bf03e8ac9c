import { type AddressInfo, createConnection } from 'node:net'
import { Readable } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { createLogger } from '../telemetry/logging.ts'
import { type App, createBase } from './base.ts'
import { jsonBodies } from './body/json-bodies.ts'
import { createChunkWriter } from './chunk-writer.ts'
import { allowSlowResponses } from './slow-responses.ts'

const idleTimeoutMs = 90_000
const firstByteMs = 660_000

let app: App
afterEach(() => app.close())

/** `timeouts` are those of the connection, at the points that the test names. */
async function open() {
  const timeouts: Record<string, number | undefined> = {}
  const logger = createLogger({ logLevel: 'silent' }, { write: () => undefined })
  app = createBase({ logger, trustProxy: false, headers: {}, idleTimeoutMs })
  app.decorateRequest('caller')
  allowSlowResponses(app, firstByteMs)
  jsonBodies(app)
  const write = createChunkWriter()
  app.addHook('preParsing', async ({ raw }) => {
    timeouts['before the body'] = raw.socket.timeout
  })
  app.post('/slow', async ({ raw }, reply) => {
    timeouts['at work'] = raw.socket.timeout
    reply.raw.once('finish', () => {
      timeouts['after the head'] = raw.socket.timeout
    })
    return {}
  })
  app.register(async (scope) => {
    scope.addContentTypeParser('text/plain', (_request, _body, done) => done(null))
    scope.post('/upload', async ({ raw }) => {
      timeouts['in the body'] = raw.socket.timeout
      for await (const _part of raw);
      timeouts['at work'] = raw.socket.timeout
      return {}
    })
  })
  app.get('/stream', async ({ raw }, reply) => {
    timeouts['at work'] = raw.socket.timeout
    const stream = Readable.from([Buffer.from('x')], { objectMode: false })
    write(stream, reply)
    timeouts['after the head'] = raw.socket.timeout
    return reply
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  return { timeouts, port, url: `http://127.0.0.1:${port}` }
}

test.each([
  ['POST', '/slow'],
  ['GET', '/stream'],
])(
  'the handler of %s %s has its time, and the connection that of an idle one after it',
  async (method, path) => {
    const { timeouts, url } = await open()
    const headers = { 'content-type': 'application/json' }
    for (let times = 0; times < 2; times += 1) {
      const body = method === 'POST' ? '{}' : null
      const response = await fetch(`${url}${path}`, { method, body, headers })
      await response.text()
      expect(response.status).toBe(200)
      expect(timeouts).toMatchObject({ 'before the body': idleTimeoutMs, 'at work': firstByteMs })
      // Node sets its time between requests at the end.
      expect(timeouts['after the head']).toBeLessThanOrEqual(idleTimeoutMs)
    }
  },
)

test('a handler that reads the body itself has its time once that has arrived', async () => {
  const { timeouts, url, port } = await open()
  const socket = createConnection(port, '127.0.0.1').setEncoding('latin1')
  socket.write(
    'POST /upload HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\nab',
  )
  await expect.poll(() => timeouts['in the body']).toBe(idleTimeoutMs)
  expect(timeouts['at work']).toBeUndefined()
  socket.write('cd')
  await expect.poll(() => timeouts['at work']).toBe(firstByteMs)
  socket.destroy()
  const headers = { 'content-type': 'text/plain' }
  expect((await fetch(`${url}/upload`, { method: 'POST', body: 'abcd', headers })).status).toBe(200)
})

test('a body that is not sent has no more time than before', async () => {
  const { timeouts, port } = await open()
  const socket = createConnection(port, '127.0.0.1')
  socket.write(
    'POST /slow HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n',
  )
  await expect.poll(() => timeouts['before the body']).toBe(idleTimeoutMs)
  expect(timeouts['at work']).toBeUndefined()
  socket.destroy()
})
