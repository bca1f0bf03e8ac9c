// Invalid requests against the whole gateway: each returns a problem document that names the
// invalid field, and leaves no row behind.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { type ApiResponse, brief, type User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
let user: User
beforeAll(async () => {
  world = await openWorld({ env: { WORKER: 'false', MAX_CONTENT_CHARS: '1000' } })
  user = await world.createUser()
})
afterEach(async () => {
  await world.expectNoLeaks()
  expect(await world.query('select id from gateway.presentations')).toEqual([])
  expect(await world.query('select * from gateway.events')).toEqual([])
})
afterAll(() => world.close())

function expectProblem(
  { status, headers, body }: ApiResponse,
  expected: { status: number; code: string },
) {
  expect({ status, body }).toMatchObject({ status: expected.status })
  expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
  expect(body).toMatchObject({
    type: 'about:blank',
    title: expect.any(String),
    status: expected.status,
    detail: expect.any(String),
    instance: '/api/v1/presentations',
    code: expected.code,
    request_id: expect.any(String),
  })
  expect(JSON.stringify(body)).not.toMatch(/postgres|node_modules|\bat .*\.ts/i)
}

const withCharacter = (character: string) => ({ content: `before${character}after` })

test.each<[mistake: string, path: string, brief: unknown]>([
  ['an empty object', '/content', {}],
  ['null', '', null],
  ['an array', '', [brief]],
  ['a string', '', JSON.stringify('content')],
  ['null as content', '/content', { content: null }],
  ['a number as content', '/content', { content: 7 }],
  ['an object as content', '/content', { content: { text: 'x' } }],
  ['empty content', '/content', { content: '' }],
  ['blank content', '/content', { content: ' \n\u00a0\u200b' }],
  ['content over MAX_CONTENT_CHARS', '/content', { content: 'x'.repeat(1001) }],
  ['emoji over MAX_CONTENT_CHARS', '/content', { content: '🚀'.repeat(1001) }],
  ['NUL', '/content', withCharacter('\0')],
  ['BEL', '/content', withCharacter('\u0007')],
  ['DEL', '/content', withCharacter('\u007f')],
  ['a C1 control character', '/content', withCharacter('\u0085')],
  ['a lone surrogate', '/content', '{"content":"before \\ud83d after"}'],
  ['swapped surrogates', '/content', '{"content":"\\ude80\\ud83d"}'],
  ['a lone surrogate in a title', '/title', '{"content":"x","title":"\\udfff"}'],
  ['an unknown field', '/contents', { ...brief, contents: 'x' }],
  ['an unknown field user_id', '/user_id', { ...brief, user_id: 'alice' }],
  ['__proto__', '', '{"content":"x","__proto__":{"n_slides":50}}'],
  ['constructor.prototype', '', { ...brief, constructor: { prototype: {} } }],
  ['n_slides of 0', '/n_slides', { ...brief, n_slides: 0 }],
  ['negative n_slides', '/n_slides', { ...brief, n_slides: -1 }],
  ['fractional n_slides', '/n_slides', { ...brief, n_slides: 2.5 }],
  ['n_slides as a string', '/n_slides', { ...brief, n_slides: '3' }],
  ['n_slides over MAX_SLIDES', '/n_slides', { ...brief, n_slides: 21 }],
  ['infinite n_slides', '/n_slides', '{"content":"x","n_slides":1e400}'],
  ['an empty array of outlines', '/outlines', { outlines: [] }],
  ['too many outlines', '/outlines', { outlines: Array.from({ length: 21 }, () => 'x') }],
  ['an outline that is a number', '/outlines/1', { outlines: ['x', 7] }],
  ['an empty outline', '/outlines/1', { outlines: ['x', ''] }],
  ['a blank outline', '/outlines/1', { outlines: ['x', ' \n'] }],
  ['an outline over 10,000 characters', '/outlines/0', { outlines: ['x'.repeat(10_001)] }],
  ['a control character in an outline', '/outlines/2', { outlines: ['x', 'y', '\u001b[31m'] }],
  [
    'n_slides that differs from the number of outlines',
    '/n_slides',
    { outlines: ['x', 'y'], n_slides: 3 },
  ],
  ['an unknown tone', '/tone', { ...brief, tone: 'grumpy' }],
  ['an unknown verbosity', '/verbosity', { ...brief, verbosity: 'endless' }],
  ['an unknown format', '/export_as', { ...brief, export_as: 'key' }],
  ['a title over 200 characters', '/title', { ...brief, title: 'x'.repeat(201) }],
  ['NUL and a header in a title', '/title', { ...brief, title: 'x\0\r\nSet-Cookie: a=b' }],
  [
    'instructions over 4,000 characters',
    '/instructions',
    { ...brief, instructions: 'x'.repeat(4001) },
  ],
  ['a boolean as a string', '/web_search', { ...brief, web_search: 'true' }],
  ['a boolean as a number', '/include_title_slide', { ...brief, include_title_slide: 1 }],
  [
    'a table of contents with two slides',
    '/include_table_of_contents',
    { ...brief, n_slides: 2, include_table_of_contents: true },
  ],
  ['metadata as an array', '/metadata', { ...brief, metadata: ['x'] }],
  ['a number as metadata value', '/metadata/n', { ...brief, metadata: { n: 1 } }],
  [
    'more than 16 metadata keys',
    '/metadata',
    {
      ...brief,
      metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, 'x'])),
    },
  ],
  [
    'a metadata value over 500 characters',
    '/metadata/k',
    { ...brief, metadata: { k: 'x'.repeat(501) } },
  ],
  ['an empty language', '/language', { ...brief, language: '' }],
  ['an empty template', '/template', { ...brief, template: '' }],
])('returns 400 for %s, at path "%s"', async (_mistake, path, body) => {
  const response = await user.api('/presentations', { method: 'POST', body })
  expectProblem(response, { status: 400, code: 'VALIDATION_FAILED' })
  expect(response.body.errors).toEqual([{ path, message: expect.stringMatching(/\S/) }])
})

test('returns 400 for metadata keys over 64 characters or with control characters', async () => {
  for (const key of ['x'.repeat(65), 'a\0b']) {
    const response = await user.api('/presentations', {
      method: 'POST',
      body: { ...brief, metadata: { [key]: 'x' } },
    })
    expectProblem(response, { status: 400, code: 'VALIDATION_FAILED' })
    expect(response.body.errors[0].path).toMatch(/^\/metadata/)
  }
})

test.each([
  '{"content":',
  '{"content":"x",}',
  "{'content':'x'}",
  'content',
  '{"content":"a\u0000b"}',
  '\ufeff',
  '',
  '{"content":NaN}',
])('returns 400 for invalid JSON: %j', async (body) => {
  const response = await user.api('/presentations', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  expectProblem(response, { status: 400, code: 'VALIDATION_FAILED' })
})

test('returns 400 at once for deeply nested JSON and for 200,000 members', async () => {
  const deep = `{"content":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  const wide = JSON.stringify(
    Object.fromEntries(Array.from({ length: 200_000 }, (_, n) => [`k${n}`, n])),
  )
  for (const body of [deep, wide]) {
    const startedMs = performance.now()
    const response = await user.api('/presentations', { method: 'POST', body })
    expectProblem(response, { status: 400, code: 'VALIDATION_FAILED' })
    expect(JSON.stringify(response.body).length).toBeLessThan(2_000)
    expect(performance.now() - startedMs).toBeLessThan(20_000)
  }
})

test('reads a body of 8 MiB and returns 413 for one byte more', async () => {
  const limit = 8 * 1024 * 1024
  const ofSize = (size: number) => `{"content":"${'x'.repeat(size - 14)}"}`
  expectProblem(await user.api('/presentations', { method: 'POST', body: ofSize(limit + 1) }), {
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  })
  const response = await user.api('/presentations', { method: 'POST', body: ofSize(limit) })
  expectProblem(response, { status: 400, code: 'VALIDATION_FAILED' })
  expect(response.body.errors).toMatchObject([{ path: '/content' }])
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'text/json',
])('returns 415 for a body of type %s', async (type) => {
  const response = await user.api('/presentations', {
    method: 'POST',
    body: JSON.stringify(brief),
    headers: { 'content-type': type },
  })
  expectProblem(response, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' })
})

test('returns a problem for a POST without a body', async () => {
  const response = await fetch(`${world.url}/api/v1/presentations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}` },
  })
  expect([400, 415]).toContain(response.status)
  expect(response.headers.get('content-type')).toMatch(/^application\/problem\+json/)
})

test('returns 404 for an unknown route and 405 for an unsupported method', async () => {
  expect(await user.api('/nothing')).toMatchObject({
    status: 404,
    body: { code: 'NOT_FOUND', instance: '/api/v1/nothing' },
  })
  const wrongMethod = await user.api('/presentations', { method: 'PUT', body: brief })
  expect(wrongMethod).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
  expect(wrongMethod.headers.get('allow')).toContain('POST')
  const traversal = await fetch(`${world.url}/../../etc/passwd?token=secret`)
  expect(await traversal.json()).toMatchObject({
    status: 404,
    instance: expect.not.stringContaining('secret'),
  })
})
