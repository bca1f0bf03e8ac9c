import Fastify from 'fastify'
import { describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { createLogger } from './logging.ts'

/** A logger with its output, as parsed lines and as one text. */
function openRecordingLogger() {
  const lines: Record<string, unknown>[] = []
  let text = ''
  const write = (line: string) => {
    text += line
    lines.push(JSON.parse(line))
  }
  const logger = createLogger({ logLevel: 'debug' }, { write })
  return { logger, lines, text: () => text }
}

describe('createLogger', () => {
  it('writes one JSON line for each message, with the level as name and the time in UTC', () => {
    const { logger, lines, text } = openRecordingLogger()
    logger.child({ presentation_id: 'p1' }).info({ slides: 3 }, 'listening')
    expect(lines).toEqual([
      expect.objectContaining({
        level: 'info',
        msg: 'listening',
        presentation_id: 'p1',
        slides: 3,
        time: expect.stringMatching(/Z$/),
      }),
    ])
    expect(text().endsWith('}\n')).toBe(true)
  })

  it.each([
    [
      'a header',
      {
        headers: {
          Authorization: 'Bearer PLANTED',
          cookie: 'gateway_session=PLANTED',
          'Set-Cookie': ['a=PLANTED'],
        },
      },
    ],
    [
      'a ticket',
      { ticket: 'PLANTED', url: '/api/v1/presentations/1/events?ticket=PLANTED&last_event_id=3' },
    ],
    [
      'a presigned link',
      {
        url: 'https://files.example/presentations/u/1.pptx?X-Amz-Signature=PLANTED&X-Amz-Expires=900',
      },
    ],
    [
      'a presigned link without a host',
      { path: '/presentations/u/1.pptx?X-Amz-Credential=PLANTED' },
    ],
    ['content', { brief: { content: 'PLANTED', outlines: ['PLANTED'] } }],
    ['nested outlines', { a: { b: [{ c: { outlines: ['PLANTED', 'PLANTED'] } }] } }],
    [
      'a secret of the configuration',
      { config: { objects: { secretKey: 'PLANTED', accessKey: 'PLANTED' } } },
    ],
    [
      'a password in a URL',
      { database: 'postgres://gateway:PLANTED@db:5432/gateway?password=PLANTED' },
    ],
    ['an API key of Presenton', { detail: 'bad key sk-presenton-PLANTED0123 given' }],
    ['JSON inside a string', { body: JSON.stringify({ password: 'PLANTED' }) }],
    [
      'an object of a class',
      {
        options: new Map(),
        held: new (class Held {
          password = 'PLANTED'
        })(),
      },
    ],
    ['a bare token', { note: 'got eyJhbGciOiJIUzI1NiJ9.eyJzdWIPLANTED.PLANTED_sig here' }],
  ])('redacts %s', (_what, entry) => {
    const { logger, lines, text } = openRecordingLogger()
    logger.info(entry, 'something')
    logger.child(entry).info('something')
    expect(lines).toHaveLength(2)
    expect(text()).not.toContain('PLANTED')
  })

  it('redacts secrets in the message', () => {
    const { logger, lines, text } = openRecordingLogger()
    logger.warn(
      'GET http://user:PLANTED@minio:9000/b/k?X-Amz-Signature=PLANTED with %s failed',
      'Bearer PLANTED.PLANTED',
    )
    expect(text()).not.toContain('PLANTED')
    expect(lines[0]?.msg).toContain('minio:9000/b/k')
  })

  it('logs type, code, message, frames and causes of an error, and no other property', () => {
    const { logger, lines, text } = openRecordingLogger()
    const cause = Object.assign(
      new TypeError('no answer from http://u:PLANTED@presenton/api?key=PLANTED'),
      {
        code: 'ECONNREFUSED',
        config: { headers: { 'x-any': 'PLANTED' } },
        detail: 'Key (content)=(PLANTED) exists',
      },
    )
    logger.error(
      { err: new Problem('UPSTREAM_UNAVAILABLE', { failure: 'outage', cause }) },
      'run failed',
    )
    logger.error(new AggregateError([cause], 'all failed'))
    expect(text()).not.toContain('PLANTED')
    const err = lines[0]?.err as { stack: string }
    expect(err).toMatchObject({
      type: 'Problem',
      code: 'UPSTREAM_UNAVAILABLE',
      failure: 'outage',
      cause: {
        type: 'TypeError',
        code: 'ECONNREFUSED',
        message: expect.stringContaining('presenton/api'),
      },
    })
    expect(err.stack).toContain('logging.test.ts')
  })

  it('leaves out the values that Drizzle appends to the message of a failed query', () => {
    const { logger, lines, text } = openRecordingLogger()
    const error = new Error(
      'Failed query: insert into "a" values ($1)\nparams: PLANTED "quoted"\nPLANTED\n    at PLANTED',
    )
    logger.error(error)
    logger.error({ err: error })
    expect(text()).not.toContain('PLANTED')
    expect(lines[1]?.msg).toContain('Failed query: insert into "a"')
    expect(lines[1]?.err).toHaveProperty('stack', expect.stringContaining('logging.test.ts'))
  })

  it('logs method, route and path of a request, without its query and headers', async () => {
    const { logger, lines, text } = openRecordingLogger()
    const app = Fastify({ loggerInstance: logger })
    app.get('/things/:id', (_request, reply) => reply.send({}))
    await app.inject({
      url: '/things/7?ticket=PLANTED&anything=PLANTED',
      headers: { authorization: 'Bearer PLANTED' },
    })
    await app.close()
    expect(text()).not.toContain('PLANTED')
    expect(lines.find((line) => line.req)?.req).toMatchObject({
      method: 'GET',
      route: '/things/:id',
      path: '/things/7',
    })
    expect(lines.find((line) => line.res)?.res).toEqual({ status: 200 })
  })
})
