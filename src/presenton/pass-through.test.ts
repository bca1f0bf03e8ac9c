// Under whose account a request goes upstream as it came.

import { expect, it, vi } from 'vitest'
import { accountOfUser, sharedAccount } from './account.ts'
import { createPassThrough } from './pass-through.ts'

const user = accountOfUser('alice')
const cookie = 'presenton_session=of-alice'
const { signal } = new AbortController()

function open({ breaker = 'closed' as 'closed' | 'open', hasUsers = true } = {}) {
  const renew = vi.fn(() => true)
  const auth = {
    headersFor: async () =>
      hasUsers
        ? { kind: 'cookie', headers: { cookie }, user }
        : { kind: 'basic', headers: { authorization: 'Basic shared' } },
    renew,
  }
  const options = {
    auth,
    breaker: { state: () => breaker },
    probe: { read: async () => ({ auth: 'cookie' }) },
  } as unknown as Parameters<typeof createPassThrough>[0]
  return { ...createPassThrough(options), renew }
}

const outage = expect.objectContaining({ code: 'UPSTREAM_UNAVAILABLE' })

it('gives the session of the user’s account, and forgets it when upstream refuses it', async () => {
  const { passHeaders, renew } = open()
  const { headers, reject } = await passHeaders({ account: user, signal })
  expect(headers).toEqual({ cookie })
  reject()
  expect(renew).toHaveBeenCalledOnce()
})

it('never gives the credentials that all share', async () => {
  const { passHeaders } = open({ hasUsers: false })
  await expect(passHeaders({ account: user, signal })).rejects.toEqual(outage)
  await expect(passHeaders({ account: sharedAccount, signal })).rejects.toEqual(outage)
})

it('refuses at once while the circuit breaker is open', async () => {
  const { passHeaders, checkCircuit } = open({ breaker: 'open' })
  expect(checkCircuit).toThrow(outage)
  await expect(passHeaders({ account: user, signal })).rejects.toEqual(outage)
})
