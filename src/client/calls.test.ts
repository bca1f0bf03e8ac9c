// What the client sends, and what it makes of responses.

import { describe, expect, it, onTestFinished } from 'vitest'
import { type Answer, failureOf, openTestGateway, sendJson, sendProblem } from './test-gateway.ts'

const brief = { content: 'We agreed to ship on Friday.' }
const made = { id: 'p1', status: 'queued' }
const ok: Answer = (response) => sendJson(response, 200, made)
const accepted: Answer = (response) => sendJson(response, 202, made)

async function open(answer: Answer) {
  const gateway = await openTestGateway(answer)
  onTestFinished(() => gateway.close())
  return gateway
}

describe('calls', () => {
  it('send the token, the prefix of the base URL, and JSON', async () => {
    const gateway = await open(accepted)
    const client = gateway.client({ baseUrl: `${gateway.url}/slides/` })
    expect(await client.presentations.create(brief, { idempotencyKey: 'k1' })).toEqual(made)
    expect(gateway.received).toMatchObject([
      {
        method: 'POST',
        path: '/slides/api/v1/presentations',
        headers: {
          authorization: 'Bearer token',
          'content-type': 'application/json',
          'idempotency-key': 'k1',
        },
        body: JSON.stringify(brief),
      },
    ])
  })

  it('base an edit of a slide on the revision that is given', async () => {
    const gateway = await open(accepted)
    const { presentations } = gateway.client()
    const options = { export: true, revision: 3, idempotencyKey: 'k1' }
    await presentations.editSlide('p1', 2, 'Shorter.', options)
    await presentations.editSlide('p1', 0, 'Longer.')
    expect(gateway.received).toMatchObject([
      {
        method: 'POST',
        path: '/api/v1/presentations/p1/slides/2/edit',
        headers: { 'if-match': '"3"', 'idempotency-key': 'k1' },
        body: JSON.stringify({ instruction: 'Shorter.', export: true }),
      },
      { path: '/api/v1/presentations/p1/slides/0/edit' },
    ])
    expect(gateway.received[1]?.headers).not.toHaveProperty('if-match')
  })

  it('encode ids and leave out what is not given', async () => {
    const gateway = await open(ok)
    await gateway.client().presentations.get('a/b?c')
    await gateway.client().presentations.download('p1', { format: 'pdf' })
    await gateway.client({ token: undefined }).usage.get()
    await gateway.client().capabilities.get()
    await gateway.client().presentations.slides('p1')
    expect(gateway.received.map(({ path }) => path)).toEqual([
      '/api/v1/presentations/a%2Fb%3Fc',
      '/api/v1/presentations/p1/download?format=pdf',
      '/api/v1/usage',
      '/api/v1/capabilities',
      '/api/v1/presentations/p1/slides',
    ])
    expect(gateway.received[2]?.headers).not.toHaveProperty('authorization')
  })

  it('reject with the problem of the gateway', async () => {
    const gateway = await open((response) =>
      sendProblem(response, 429, 'QUOTA_EXCEEDED', { 'retry-after': '120' }),
    )
    const error = await failureOf(gateway.client().presentations.create(brief))
    expect(error).toMatchObject({
      name: 'GatewayError',
      code: 'QUOTA_EXCEEDED',
      status: 429,
      retryAfterMs: 120_000,
      requestId: 'r1',
      problem: { code: 'QUOTA_EXCEEDED' },
    })
    expect(gateway.received).toHaveLength(1)
  })

  it.each([
    ['an HTML page of a proxy', 502, '<html>502</html>'],
    ['JSON of something else', 404, '{"error":"no"}'],
    ['a code that is no text', 502, '{"code":502,"message":"bad gateway"}'],
    ['a code of something else', 400, '{"code":"Throttled","status":"400 Bad Request"}'],
    ['a success that is not JSON', 200, '<html></html>'],
  ])('reject %s as an unexpected response', async (_what, status, body) => {
    const gateway = await open((response) => response.writeHead(status).end(body))
    const error = await failureOf(gateway.client().presentations.get('p1'))
    expect(error).toMatchObject({ code: 'UNEXPECTED_RESPONSE', status, problem: undefined })
  })

  it('pass codes that this client does not know', async () => {
    const gateway = await open((response) => sendProblem(response, 418, 'A_NEW_CODE'))
    expect(await failureOf(gateway.client().usage.get())).toMatchObject({ code: 'A_NEW_CODE' })
  })
})

describe('lists', () => {
  it('are iterators over all pages, and read a page only when it is needed', async () => {
    const gateway = await open((response, { path }) => {
      const cursor = new URL(path, 'http://x').searchParams.get('cursor')
      sendJson(response, 200, {
        items: cursor === null ? [{ id: '1' }, { id: '2' }] : [{ id: '3' }],
        next_cursor: cursor === null ? 'c1' : null,
      })
    })
    const ids: string[] = []
    for await (const { id } of gateway
      .client()
      .presentations.list({ status: 'completed', limit: 2 })) {
      ids.push(id)
      if (id === '2') expect(gateway.received).toHaveLength(1)
    }
    expect(ids).toEqual(['1', '2', '3'])
    expect(gateway.received[1]?.path).toBe(
      '/api/v1/presentations?status=completed&limit=2&cursor=c1',
    )
  })
})

describe('wait', () => {
  it('asks until the presentation is neither queued nor running', async () => {
    const states = ['queued', 'running', 'awaiting_outlines']
    const gateway = await open((response) => sendJson(response, 200, { status: states.shift() }))
    expect(await gateway.client().presentations.wait('p1')).toEqual({ status: 'awaiting_outlines' })
    expect(gateway.received[0]?.path).toBe('/api/v1/presentations/p1?wait=20')
  })

  it('reports each state once', async () => {
    const states = ['queued', 'running', 'running', 'completed']
    const gateway = await open((response) => sendJson(response, 200, { status: states.shift() }))
    const seen: string[] = []
    await gateway.client().presentations.wait('p1', {
      onProgress: ({ status }) => void seen.push(status),
    })
    expect(seen).toEqual(['queued', 'running', 'completed'])
  })
})
