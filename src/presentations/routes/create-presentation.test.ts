// The wire format of a brief: every invalid brief returns 400 with the path of the error, and
// creates nothing.

import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import {
  openTestServer,
  problemOf,
  rowId,
  sampleRow,
  type TestServer,
} from '../../app/test-server.ts'
import type { Brief } from '../read-brief.ts'
import type { CreatePresentation } from './create-presentation.ts'

type Request = Parameters<CreatePresentation['accept']>[0]

const path = '/api/v1/presentations'
const accepted: Request[] = []
let server: TestServer
let replayed = false

beforeAll(async () => {
  server = await openTestServer({
    env: {
      MAX_SLIDES: '20',
      MAX_CONTENT_CHARS: '1000',
      PUBLIC_URL: 'https://decks.example',
      APP_LINK: 'https://app.example/{id}',
    },
    features: {
      presentations: {
        async accept(request) {
          accepted.push(request)
          return { ...request.respond(sampleRow()), replayed }
        },
      },
    },
  })
})
afterAll(() => server.close())
beforeEach(() => {
  accepted.length = 0
  replayed = false
})

async function refused(body: unknown, headers?: Record<string, string>) {
  const problem = await problemOf(await server.post(path, body, headers))
  expect(accepted).toEqual([])
  return problem
}

async function pathsOf(body: unknown): Promise<string[] | undefined> {
  const { status, code, errors } = await refused(body)
  expect({ status, code }).toEqual({ status: 400, code: 'VALIDATION_FAILED' })
  return errors?.map((error) => error.path)
}

test('returns 202 with a Location header and the presentation', async () => {
  const response = await server.post(path, { content: 'What we said.', metadata: { a: 'b' } })
  expect(response.status).toBe(202)
  const self = `https://decks.example/api/v1/presentations/${rowId}`
  expect(response.headers.get('location')).toBe(self)
  expect(response.headers.get('idempotency-replayed')).toBeNull()
  expect(await response.json()).toEqual({
    id: rowId,
    presenton_presentation_id: null,
    origin: 'api',
    title: null,
    status: 'queued',
    stage: null,
    run: 1,
    attempt: 0,
    progress: 0,
    template: 'general',
    language: 'English',
    n_slides: 8,
    slides_done: 0,
    export_as: 'pptx',
    review_outlines: false,
    metadata: {},
    sources: [],
    files: [],
    revision: null,
    error: null,
    queue_position: 1,
    estimated_completion: null,
    started_at: null,
    completed_at: null,
    created_at: '2026-11-20T10:00:00.123Z',
    updated_at: '2026-11-20T10:00:00.123Z',
    links: {
      self,
      events: `${self}/events`,
      download: null,
      app: `https://app.example/${rowId}`,
      maker: null,
    },
  })
  expect(accepted[0]).toMatchObject({
    userId: 'alice',
    brief: { content: 'What we said.', metadata: { a: 'b' } },
  })
})

test('returns 400 with the path for a field of the wrong type, and coerces nothing', async () => {
  const invalid: Record<string, unknown[]> = {
    content: [1, null, ['x'], {}, true],
    outlines: ['x', {}, null],
    n_slides: ['8', 8.5, null, true],
    language: [1, null],
    template: [1, {}],
    tone: ['loud', 1, null],
    verbosity: ['long', null],
    instructions: [1, null],
    title: [1, null],
    include_title_slide: ['true', 1, null],
    include_table_of_contents: ['false', 0],
    web_search: [1],
    export_as: ['docx', null],
    review_outlines: ['yes'],
    metadata: [[], 'x', null],
  }
  for (const [name, values] of Object.entries(invalid)) {
    for (const value of values)
      expect(
        await pathsOf({ content: 'x', [name]: value }),
        `${name} ${JSON.stringify(value)}`,
      ).toEqual([`/${name}`])
  }
})

test('returns 400 with the path for values outside their limits', async () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ content: '' }, '/content'],
    [{ content: 'x'.repeat(1001) }, '/content'],
    [{ content: '\u00a0 \n' }, '/content'],
    [{}, '/content'],
    [{ outlines: [] }, '/outlines'],
    [{ outlines: Array(21).fill('x') }, '/outlines'],
    [{ outlines: ['a', ''] }, '/outlines/1'],
    [{ outlines: ['a', 'b', ' '] }, '/outlines/2'],
    [{ outlines: ['x'.repeat(10_001)] }, '/outlines/0'],
    [{ outlines: ['a', 7] }, '/outlines/1'],
    [{ outlines: ['a', 'b'], n_slides: 3 }, '/n_slides'],
    [{ content: 'x', n_slides: 0 }, '/n_slides'],
    [{ content: 'x', n_slides: 21 }, '/n_slides'],
    [{ content: 'x', n_slides: -1e300 }, '/n_slides'],
    [{ content: 'x', instructions: 'x'.repeat(4001) }, '/instructions'],
    [{ content: 'x', title: 'x'.repeat(201) }, '/title'],
    [{ content: 'x', language: '' }, '/language'],
    [{ content: 'x', template: '' }, '/template'],
    [{ content: 'x', include_table_of_contents: true, n_slides: 2 }, '/include_table_of_contents'],
    [{ content: 'x', metadata: { a: 1 } }, '/metadata/a'],
    [{ content: 'x', metadata: { a: 'x'.repeat(501) } }, '/metadata/a'],
    [{ content: 'x', metadata: { 'a/b~c': null } }, '/metadata/a~1b~0c'],
    [{ content: 'x', metadata: { ['k'.repeat(65)]: 'x' } }, `/metadata/${'k'.repeat(65)}`],
    [
      {
        content: 'x',
        metadata: Object.fromEntries(Array.from({ length: 17 }, (_, i) => [`k${i}`, ''])),
      },
      '/metadata',
    ],
  ]
  for (const [body, errorPath] of cases)
    expect(await pathsOf(body), JSON.stringify(body).slice(0, 80)).toEqual([errorPath])
})

test('limits text by code points', async () => {
  expect(
    (await server.post(path, { content: '😀'.repeat(1000), title: '😀'.repeat(200) })).status,
  ).toBe(202)
  accepted.length = 0
  expect(await pathsOf({ content: '😀'.repeat(1001) })).toEqual(['/content'])
  // One visible character, and 1,200 code points.
  expect(await pathsOf({ content: `e${'\u0301'.repeat(1199)}` })).toEqual(['/content'])
})

test('returns 400 for control characters and lone surrogates in every string and metadata key', async () => {
  for (const invalid of [
    '\u0000',
    '\u0007',
    '\u001b[31m',
    '\u007f',
    '\u0085',
    '\u009f',
    '\ud800',
    '\udfffx',
  ]) {
    for (const name of ['content', 'language', 'template', 'instructions', 'title']) {
      expect(
        await pathsOf({ content: 'x', [name]: `a${invalid}` }),
        `${name} ${JSON.stringify(invalid)}`,
      ).toEqual([`/${name}`])
    }
    expect(await pathsOf({ outlines: ['valid', `a${invalid}`] })).toEqual(['/outlines/1'])
    expect(await pathsOf({ content: 'x', metadata: { a: invalid } })).toEqual(['/metadata/a'])
    expect(await pathsOf({ content: 'x', metadata: { [invalid]: 'a' } })).toHaveLength(1)
  }
  expect(
    (await server.post(path, { content: 'tab\t, line\r\nend', metadata: { 'a\tb': 'c\nd' } }))
      .status,
  ).toBe(202)
})

test('returns 400 for unknown fields and for keys that change prototypes', async () => {
  expect(await pathsOf({ content: 'x', contents: 'y' })).toEqual(['/contents'])
  expect(await pathsOf({ content: 'x', nSlides: 3 })).toEqual(['/nSlides'])
  expect(await pathsOf({ content: 'x', constructor: 1 })).toEqual(['/constructor'])
  expect(await pathsOf({ content: 'x', toString: 'x' })).toEqual(['/toString'])
  expect(await pathsOf('{"content":"x","__proto__":{"n_slides":3}}')).toEqual([''])
  expect(await pathsOf('{"content":"x","metadata":{"__proto__":"x"}}')).toEqual([''])
  expect(await pathsOf('{"content":"x","metadata":{"constructor":{"prototype":{"a":1}}}}')).toEqual(
    [''],
  )
  expect((await server.post(path, '{"content":"x","metadata":{"constructor":"x"}}')).status).toBe(
    202,
  )
  expect(accepted[0]?.brief.metadata).toEqual({ constructor: 'x' })
})

test('limits the length of an error path', async () => {
  const [errorPath = ''] = (await pathsOf({ content: 'x', ['k'.repeat(100_000)]: 1 })) ?? []
  expect(errorPath.length).toBeLessThan(300)
})

test('returns 400 for a body that is not a JSON object', async () => {
  for (const body of [
    '',
    ' ',
    '{',
    '{"content":"x"',
    '{"content":"x"}}',
    '[]',
    '"x"',
    '1',
    'null',
    'true',
    "{'content':'x'}",
    '{"content":"\u0001"}',
  ]) {
    expect(await pathsOf(body), body).toEqual([''])
  }
  const latin1 = await server.call(path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: Buffer.from('{"content":"\xe4"}', 'latin1'),
  })
  expect((await problemOf(latin1)).errors).toEqual([{ path: '', message: 'must be UTF-8' }])
})

test('returns 400 for deep nesting', async () => {
  const deep = `${'['.repeat(100_000)}${']'.repeat(100_000)}`
  expect(await pathsOf(deep)).toEqual([''])
  expect(await pathsOf(`{"content":${deep}}`)).toEqual(['/content'])
  expect(
    await pathsOf(`{"content":"x","metadata":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`),
  ).toEqual(['/metadata'])
  expect(await pathsOf('{"content":[[[[["x"]]]]]}')).toEqual(['/content'])
})

test('uses the last value of a repeated key', async () => {
  expect((await server.post(path, '{"content":"first","content":"last"}')).status).toBe(202)
  expect(accepted[0]?.brief).toMatchObject({ content: 'last' } satisfies Partial<Brief>)
})

test('returns 415 for content types and encodings other than plain JSON', async () => {
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    'application/jsonp',
    'nonsense',
  ]) {
    expect(await refused('{"content":"x"}', { 'content-type': type }), type).toMatchObject({
      status: 415,
      code: 'UNSUPPORTED_MEDIA_TYPE',
    })
  }
  expect(await refused('{"content":"x"}', { 'content-encoding': 'gzip' })).toMatchObject({
    status: 415,
  })
  expect(
    (
      await server.post(
        path,
        { content: 'x' },
        { 'content-type': 'application/json; charset=utf-8' },
      )
    ).status,
  ).toBe(202)
})

test('accepts a body of 8 MiB, and returns 413 for one byte more', async () => {
  const body = (bytes: number) => `{"content":"x"${' '.repeat(bytes - 15)}}`
  const limit = 8 * 1024 * 1024
  expect((await server.post(path, body(limit))).status).toBe(202)
  accepted.length = 0
  expect(await refused(body(limit + 1))).toMatchObject({ status: 413, code: 'PAYLOAD_TOO_LARGE' })
})

test('passes an idempotency key with a fingerprint that does not depend on the order of members', async () => {
  const send = (body: string, key = 'k-1') => server.post(path, body, { 'idempotency-key': key })
  await send('{"content":"x","n_slides":3,"metadata":{"a":"1","b":"2"}}')
  await send('{"metadata":{"b":"2","a":"1"}, "n_slides":3.0,"content":"x"}')
  await send('{"content":"x","n_slides":4,"metadata":{"a":"1","b":"2"}}')
  const [first, reordered, other] = accepted.map(({ idempotency }) => idempotency)
  expect(first).toEqual({ key: 'k-1', fingerprint: expect.stringMatching(/^[\da-f]{64}$/) })
  expect(reordered).toEqual(first)
  expect(other?.fingerprint).not.toBe(first?.fingerprint)
})

test('returns 400 for an invalid idempotency key', async () => {
  for (const key of ['', 'a b', 'ö', 'x'.repeat(256)]) {
    const { status, errors } = await refused({ content: 'x' }, { 'idempotency-key': key })
    expect({ status, paths: errors?.map((error) => error.path) }, key).toEqual({
      status: 400,
      paths: ['Idempotency-Key'],
    })
  }
})

test('marks a replayed response with a header', async () => {
  replayed = true
  const response = await server.post(path, { content: 'x' }, { 'idempotency-key': 'k' })
  expect([response.status, response.headers.get('idempotency-replayed')]).toEqual([202, 'true'])
})
