// Which calls the client repeats, and which it fails.

import { describe, expect, it, onTestFinished } from 'vitest'
import {
  type Answer,
  failureOf,
  inTurn,
  openTestGateway,
  sendJson,
  sendProblem,
} from './test-gateway.ts'

const brief = { content: 'We agreed to ship on Friday.' }
const made = { id: 'p1', status: 'queued' }
const ok: Answer = (response) => sendJson(response, 200, made)
const accepted: Answer = (response) => sendJson(response, 202, made)
const drop: Answer = (response) => void response.destroy()
const busy: Answer = (response) =>
  sendProblem(response, 503, 'DATABASE_UNAVAILABLE', { 'retry-after': '5' })

async function open(answer: Answer) {
  const gateway = await openTestGateway(answer)
  onTestFinished(() => gateway.close())
  return gateway
}

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
