// When the client asks for a token.

import { describe, expect, it, onTestFinished } from 'vitest'
import { type Answer, failureOf, openTestGateway, sendJson, sendProblem } from './test-gateway.ts'

const made = { id: 'p1', status: 'queued' }
const ok: Answer = (response) => sendJson(response, 200, made)

async function open(answer: Answer) {
  const gateway = await openTestGateway(answer)
  onTestFinished(() => gateway.close())
  return gateway
}

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
