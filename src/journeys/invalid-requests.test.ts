// Bad briefs over the wire: each is answered with a problem document that names its place, and
// leaves no row behind. Field by field they are tested where the route is; here they meet the whole
// gateway.

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
    ...{
      type: 'about:blank',
      title: expect.any(String),
      status: expected.status,
      detail: expect.any(String),
    },
    ...{ instance: '/api/v1/presentations', code: expected.code, request_id: expect.any(String) },
  })
  expect(JSON.stringify(body)).not.toMatch(/postgres|node_modules|\bat .*\.ts/i)
}

const control = (text: string) => ({ content: `before${text}after` })
const long = 'x'.repeat(1001)

test.each<[what: string, path: string, brief: unknown]>([
  ['nothing', '/content', {}],
  ['null', '', null],
  ['a list', '', [brief]],
  ['a string', '', JSON.stringify('content')],
  ['null as content', '/content', { content: null }],
  ['a number as content', '/content', { content: 7 }],
  ['an object as content', '/content', { content: { text: 'x' } }],
  ['empty content', '/content', { content: '' }],
  ['blank content', '/content', { content: ' \n\u00a0\u200b' }],
  ['content too long', '/content', { content: long }],
  ['emoji too many', '/content', { content: '🚀'.repeat(1001) }],
  ['NUL', '/content', control('\0')],
  ['a bell', '/content', control('\u0007')],
  ['DEL', '/content', control('\u007f')],
  ['a control character of C1', '/content', control('\u0085')],
  ['a lone surrogate', '/content', '{"content":"before \\ud83d after"}'],
  ['surrogates the wrong way round', '/content', '{"content":"\\ude80\\ud83d"}'],
  ['a lone surrogate in a title', '/title', '{"content":"x","title":"\\udfff"}'],
  ['an unknown field', '/contents', { ...brief, contents: 'x' }],
  ['a field that is none of ours', '/user_id', { ...brief, user_id: 'alice' }],
  ['a prototype', '', '{"content":"x","__proto__":{"n_slides":50}}'],
  ["a constructor's prototype", '', { ...brief, constructor: { prototype: {} } }],
  ['no slides', '/n_slides', { ...brief, n_slides: 0 }],
  ['slides below nought', '/n_slides', { ...brief, n_slides: -1 }],
  ['half a slide', '/n_slides', { ...brief, n_slides: 2.5 }],
  ['slides as text', '/n_slides', { ...brief, n_slides: '3' }],
  ['too many slides', '/n_slides', { ...brief, n_slides: 21 }],
  ['slides beyond numbers', '/n_slides', '{"content":"x","n_slides":1e400}'],
  ['no outlines', '/outlines', { outlines: [] }],
  ['too many outlines', '/outlines', { outlines: Array.from({ length: 21 }, () => 'x') }],
  ['an outline that is none', '/outlines/1', { outlines: ['x', 7] }],
  ['an empty outline', '/outlines/1', { outlines: ['x', ''] }],
  ['a blank outline', '/outlines/1', { outlines: ['x', ' \n'] }],
  ['an outline too long', '/outlines/0', { outlines: ['x'.repeat(10_001)] }],
  ['a control character in an outline', '/outlines/2', { outlines: ['x', 'y', '\u001b[31m'] }],
  ['outlines that are not n_slides', '/n_slides', { outlines: ['x', 'y'], n_slides: 3 }],
  ['a tone of its own', '/tone', { ...brief, tone: 'grumpy' }],
  ['a verbosity of its own', '/verbosity', { ...brief, verbosity: 'endless' }],
  ['a format of its own', '/export_as', { ...brief, export_as: 'key' }],
  ['a title too long', '/title', { ...brief, title: 'x'.repeat(201) }],
  ['a line end and a header in a title', '/title', { ...brief, title: 'x\0\r\nSet-Cookie: a=b' }],
  ['instructions too long', '/instructions', { ...brief, instructions: 'x'.repeat(4001) }],
  ['text for a flag', '/web_search', { ...brief, web_search: 'true' }],
  ['a number for a flag', '/include_title_slide', { ...brief, include_title_slide: 1 }],
  [
    'contents on two slides',
    '/include_table_of_contents',
    { ...brief, n_slides: 2, include_table_of_contents: true },
  ],
  ['metadata that are a list', '/metadata', { ...brief, metadata: ['x'] }],
  ['a number in metadata', '/metadata/n', { ...brief, metadata: { n: 1 } }],
  [
    'too many metadata',
    '/metadata',
    {
      ...brief,
      metadata: Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`k${n}`, 'x'])),
    },
  ],
  ['metadata too long', '/metadata/k', { ...brief, metadata: { k: 'x'.repeat(501) } }],
  ['an empty language', '/language', { ...brief, language: '' }],
  ['an empty template', '/template', { ...brief, template: '' }],
])('%s is refused at %s', async (_what, path, given) => {
  const answer = await user.api('/presentations', { method: 'POST', body: given })
  expectProblem(answer, { status: 400, code: 'VALIDATION_FAILED' })
  expect(answer.body.errors).toEqual([{ path, message: expect.stringMatching(/\S/) }])
})

test('the key of a metadata pair has its bounds, too', async () => {
  for (const key of ['x'.repeat(65), 'a\0b']) {
    const answer = await user.api('/presentations', {
      method: 'POST',
      body: { ...brief, metadata: { [key]: 'x' } },
    })
    expectProblem(answer, { status: 400, code: 'VALIDATION_FAILED' })
    expect(answer.body.errors[0].path).toMatch(/^\/metadata/)
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
])('broken JSON is refused: %j', async (body) => {
  const answer = await user.api('/presentations', {
    method: 'POST',
    body,
    headers: { 'content-type': 'application/json' },
  })
  expectProblem(answer, { status: 400, code: 'VALIDATION_FAILED' })
})

test('JSON that is deep, or has very many members, is refused and not choked on', async () => {
  const deep = `{"content":${'['.repeat(100_000)}${']'.repeat(100_000)}}`
  const wide = JSON.stringify(
    Object.fromEntries(Array.from({ length: 200_000 }, (_, n) => [`k${n}`, n])),
  )
  for (const body of [deep, wide]) {
    const asked = performance.now()
    const answer = await user.api('/presentations', { method: 'POST', body })
    expectProblem(answer, { status: 400, code: 'VALIDATION_FAILED' })
    expect(JSON.stringify(answer.body).length).toBeLessThan(2_000)
    expect(performance.now() - asked).toBeLessThan(5_000)
  }
})

test('a body of one byte too many is too large, and one of just as many is read', async () => {
  const most = 8 * 1024 * 1024
  const of = (size: number) => `{"content":"${'x'.repeat(size - 14)}"}`
  expectProblem(await user.api('/presentations', { method: 'POST', body: of(most + 1) }), {
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  })
  const read = await user.api('/presentations', { method: 'POST', body: of(most) })
  expectProblem(read, { status: 400, code: 'VALIDATION_FAILED' })
  expect(read.body.errors).toMatchObject([{ path: '/content' }])
})

test.each([
  'text/plain',
  'application/x-www-form-urlencoded',
  'multipart/form-data; boundary=x',
  'application/xml',
  'text/json',
])('a body that is %s is not JSON', async (type) => {
  const answer = await user.api('/presentations', {
    method: 'POST',
    body: JSON.stringify(brief),
    headers: { 'content-type': type },
  })
  expectProblem(answer, { status: 415, code: 'UNSUPPORTED_MEDIA_TYPE' })
})

test('a post without any body names what is missing', async () => {
  const answer = await fetch(`${world.url}/api/v1/presentations`, {
    method: 'POST',
    headers: { authorization: `Bearer ${user.token}` },
  })
  expect([400, 415]).toContain(answer.status)
  expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
})

test('unknown routes and methods are problems, too', async () => {
  expect(await user.api('/nothing')).toMatchObject({
    status: 404,
    body: { code: 'NOT_FOUND', instance: '/api/v1/nothing' },
  })
  const wrong = await user.api('/presentations', { method: 'PUT', body: brief })
  expect(wrong).toMatchObject({ status: 405, body: { code: 'METHOD_NOT_ALLOWED' } })
  expect(wrong.headers.get('allow')).toContain('POST')
  const outside = await fetch(`${world.url}/../../etc/passwd?token=secret`)
  expect(await outside.json()).toMatchObject({
    status: 404,
    instance: expect.not.stringContaining('secret'),
  })
})
