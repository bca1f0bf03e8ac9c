import { afterEach, describe, expect, it } from 'vitest'
import { GatewayError } from './client.ts'
import { type Answer, inTurn, openTestGateway, sendJson, sendProblem } from './test-gateway.ts'

const brief = { content: 'We agreed to ship on Friday.' }
const made = { id: 'p1', status: 'queued' }
const ok: Answer = (response) => sendJson(response, 200, made)
const accepted: Answer = (response) => sendJson(response, 202, made)
const drop: Answer = (response) => void response.destroy()
const busy: Answer = (response) =>
  sendProblem(response, 503, 'DATABASE_UNAVAILABLE', { 'retry-after': '5' })

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

async function open(answer: Answer) {
  const gateway = await openTestGateway(answer)
  closers.push(gateway.close)
  return gateway
}

async function failureOf(call: Promise<unknown>): Promise<GatewayError> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof GatewayError) return error
  throw new Error('expected a GatewayError', { cause: error })
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

describe('a failure that passes', () => {
  it('is tried again after Retry-After', async () => {
    const gateway = await open(inTurn(busy, busy, ok))
    expect(await gateway.client().presentations.get('p1')).toEqual(made)
    expect(gateway.waits).toEqual([5_000, 5_000])
  })

  it('is tried again, whether a proxy or the gateway says so, and at the date that is given', async () => {
    const date = new Date(Date.now() + 30_000).toUTCString()
    const gateway = await open(
      inTurn(
        (response) => sendJson(response, 503, { code: 'Throttled' }, { 'retry-after': '1' }),
        (response) => sendJson(response, 503, {}, { 'retry-after': date }),
        ok,
      ),
    )
    expect(await gateway.client().presentations.get('p1')).toEqual(made)
    expect(gateway.waits[0]).toBe(1_000)
    expect(gateway.waits[1]).toBeGreaterThan(20_000)
    expect(gateway.waits[1]).toBeLessThanOrEqual(30_000)
  })

  it('is tried again five times at most', async () => {
    const gateway = await open(busy)
    const error = await failureOf(gateway.client().presentations.get('p1'))
    expect(error).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
    expect(gateway.received).toHaveLength(6)
  })

  it('is not waited for when it says more than a minute, or nothing', async () => {
    const long = await open((response) =>
      sendProblem(response, 429, 'RATE_LIMIT_EXCEEDED', { 'retry-after': '61' }),
    )
    const silent = await open((response) => sendProblem(response, 503, 'UPSTREAM_UNAVAILABLE'))
    for (const gateway of [long, silent]) {
      await failureOf(gateway.client().presentations.get('p1'))
      expect(gateway.received).toHaveLength(1)
    }
  })

  it('of the network is tried again with growing waits, then NETWORK_ERROR', async () => {
    const gateway = await open(drop)
    const error = await failureOf(gateway.client().presentations.get('p1'))
    expect(error).toMatchObject({ code: 'NETWORK_ERROR', status: 0, retryAfterMs: undefined })
    expect(gateway.waits).toEqual([250, 500, 1_000, 2_000, 4_000])
  })

  it('is a response that is cut, too', async () => {
    const cut: Answer = (response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
      response.write('{"id":', () => response.destroy())
    }
    const gateway = await open(inTurn(cut, ok))
    expect(await gateway.client().presentations.get('p1')).toEqual(made)
  })

  it('is a gateway that does not answer in time', async () => {
    const gateway = await open(inTurn(() => undefined, ok))
    const client = gateway.client({ timeoutMs: 100 })
    expect(await client.presentations.get('p1')).toEqual(made)
  })

  it.each([
    [
      'create',
      (client: ReturnType<Awaited<ReturnType<typeof open>>['client']>) =>
        client.presentations.create(brief),
    ],
    [
      'retry',
      (client: ReturnType<Awaited<ReturnType<typeof open>>['client']>) =>
        client.presentations.retry('p1'),
    ],
    [
      'export',
      (client: ReturnType<Awaited<ReturnType<typeof open>>['client']>) =>
        client.presentations.export('p1', 'pdf'),
    ],
  ])('repeats %s with the key of the first attempt', async (_name, call) => {
    const gateway = await open(inTurn(drop, drop, accepted))
    await call(gateway.client())
    await call(gateway.client())
    const keys = gateway.received.map(({ headers }) => headers['idempotency-key'])
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/)
    expect(keys.slice(1, 3)).toEqual([keys[0], keys[0]])
    expect(keys[3]).not.toBe(keys[0])
  })

  it('may have deleted already, or approved', async () => {
    const deleted = await open(inTurn(drop, (response) => sendProblem(response, 404, 'NOT_FOUND')))
    await expect(deleted.client().presentations.delete('p1')).resolves.toBeUndefined()
    const approved = await open(
      inTurn(drop, (response) => sendProblem(response, 409, 'CONFLICT'), ok),
    )
    expect(await approved.client().presentations.approveOutlines('p1')).toEqual(made)
    const never = await open((response) => sendProblem(response, 404, 'NOT_FOUND'))
    expect((await failureOf(never.client().presentations.delete('p1'))).code).toBe('NOT_FOUND')
  })

  it('ends with the reason of the signal, also while it waits', async () => {
    const gateway = await open(() => undefined)
    const controller = new AbortController()
    const call = gateway.client().presentations.get('p1', { signal: controller.signal })
    controller.abort(new Error('left the page'))
    await expect(call).rejects.toThrow('left the page')
    const busyGateway = await open(busy)
    const stop = new AbortController()
    const client = busyGateway.client({
      timing: {
        random: () => 0,
        sleep: (_ms, signal) =>
          new Promise((_resolve, reject) => {
            signal?.addEventListener('abort', () => reject(signal.reason))
            stop.abort(new Error('stopped'))
          }),
      },
    })
    await expect(client.usage.get({ signal: stop.signal })).rejects.toThrow('stopped')
  })
})

describe('the token', () => {
  const refuseOld: Answer = (response, { headers }) =>
    headers.authorization === 'Bearer new'
      ? sendJson(response, 200, made)
      : sendProblem(response, 401, 'AUTHENTICATION_FAILED')

  it('is asked for once, and once more for all calls that it was refused to', async () => {
    const gateway = await open(refuseOld)
    let asked = 0
    const client = gateway.client({
      token: async () => {
        asked += 1
        return asked === 1 ? 'old' : 'new'
      },
    })
    await Promise.all(Array.from({ length: 10 }, () => client.presentations.get('p1')))
    await client.presentations.get('p1')
    expect(asked).toBe(2)
  })

  it('that stays refused is an error, after one renewal', async () => {
    const gateway = await open(refuseOld)
    const error = await failureOf(gateway.client({ token: () => 'old' }).usage.get())
    expect(error.code).toBe('AUTHENTICATION_FAILED')
    expect(gateway.received).toHaveLength(2)
    const fixed = await open(refuseOld)
    await failureOf(fixed.client({ token: 'old' }).usage.get())
    expect(fixed.received).toHaveLength(1)
  })

  it('that never comes holds no call that is aborted, or over time', async () => {
    const gateway = await open(ok)
    const client = gateway.client({ token: () => new Promise(() => undefined), timeoutMs: 50 })
    const leaving = new AbortController()
    const call = client.usage.get({ signal: leaving.signal })
    leaving.abort(new Error('left'))
    await expect(call).rejects.toThrow('left')
    expect(await failureOf(client.usage.get())).toMatchObject({ code: 'NETWORK_ERROR' })
    expect(gateway.received).toEqual([])
  })

  it('is asked for again after its function failed', async () => {
    const gateway = await open(refuseOld)
    let asked = 0
    const client = gateway.client({
      token: () => {
        asked += 1
        if (asked === 1) throw new Error('signed out')
        return 'new'
      },
    })
    await expect(client.usage.get()).rejects.toThrow('signed out')
    expect(await client.usage.get()).toEqual(made)
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
