// Faults that any operation may have, and how they are injected.

import { describe, expect, it } from 'vitest'
import { type FaultName, faultNames } from '../stand-in.ts'
import { openFaulty } from './test-faults.ts'

describe('error responses of any operation', () => {
  it.each([
    ['502', 502, 'text/html', /<title>502 Bad Gateway<\/title>.*nginx\/1\.22\.1/s],
    ['503', 503, 'text/html', /503/],
    ['504', 504, 'text/html', /504 Gateway Time-out/],
    ['500', 500, 'text/plain; charset=utf-8', /^Internal Server Error$/],
    ['401', 401, 'application/json', /^\{"detail":"Unauthorized"\}$/],
    ['404', 404, 'application/json', /^\{"detail":"Presentation not found"\}$/],
    ['404-route', 404, 'application/json', /^\{"detail":"Not Found"\}$/],
    ['422', 422, 'application/json', /"type":"missing"/],
  ] as const)('%s', async (name, status, type, body) => {
    const { presenton, client } = await openFaulty()
    for (const operation of ['create', 'list', 'login'] as const) {
      presenton.faults.inject(`${operation}:${name}`)
      const path = {
        create: 'presentation/create',
        list: 'presentation/all',
        login: '/api/v1/auth/login',
      }[operation]
      const response = await client.send(
        operation === 'list' ? 'GET' : 'POST',
        path,
        operation === 'list' ? undefined : { content: 'x' },
      )
      expect([response.status, response.headers.get('content-type')]).toEqual([status, type])
      expect(response.text).toMatch(body)
    }
    expect(presenton.decks.size).toBe(0)
  })

  it('have a Retry-After with 429', async () => {
    const { presenton, client } = await openFaulty()
    presenton.faults.inject('list:429')
    expect((await client.send('GET', 'presentation/all')).headers.get('retry-after')).toBe('1')
  })

  it('are absent when the connection is reset, or hangs', async () => {
    const { presenton, client } = await openFaulty()
    presenton.faults.inject('create:reset')
    await expect(client.create()).rejects.toThrow()
    presenton.faults.inject('create:hang')
    presenton.gates.hold('create')
    const disconnect = new AbortController()
    const call = fetch(`${presenton.url}/api/v1/ppt/presentation/create`, {
      method: 'POST',
      body: '{}',
      signal: disconnect.signal,
    })
    await presenton.gates.arrived('create')
    presenton.gates.release('create')
    await expect.poll(() => presenton.faults.injected).toEqual(['create:reset', 'create:hang'])
    disconnect.abort()
    await expect(call).rejects.toThrow()
    expect(presenton.decks.size).toBe(0)
  })

  it('are absent after the work when the reply is lost', async () => {
    const { presenton, client } = await openFaulty()
    for (const name of ['create:reply-lost', 'create:reply-half'] as const) {
      presenton.faults.inject(name)
      await expect(client.create()).rejects.toThrow()
    }
    expect(presenton.decks.size).toBe(2)
  })
})

describe('an injected fault', () => {
  it('applies to the given number of exchanges, after those to skip, or to one deck', async () => {
    const { presenton, client } = await openFaulty()
    const [one, two] = [await client.create(), await client.create()]
    const readStatus = async (id: string) => (await client.send('GET', `presentation/${id}`)).status
    presenton.faults.inject('read:502', { times: 2, skip: 1 })
    expect([
      await readStatus(one),
      await readStatus(one),
      await readStatus(one),
      await readStatus(one),
    ]).toEqual([200, 502, 502, 200])
    presenton.faults.inject('read:404', { times: Number.POSITIVE_INFINITY, deckId: two })
    expect([await readStatus(one), await readStatus(two), await readStatus(two)]).toEqual([
      200, 404, 404,
    ])
    presenton.faults.clear('read:404')
    expect(await readStatus(two)).toBe(200)
    expect(presenton.faults.injected).toEqual(['read:502', 'read:502', 'read:404', 'read:404'])
  })

  it('must have a known name', async () => {
    const { presenton } = await openFaulty()
    expect(() => presenton.faults.inject('read:nonsense' as FaultName)).toThrow(
      'No such fault: read:nonsense',
    )
    expect(new Set(faultNames).size).toBe(faultNames.length)
  })
})
