// The limit of requests: each session has its own.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { createCalls, openPaidWorld, type PaidWorld } from './paid/test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld({ MAKER_RATE_PER_MINUTE: '5' }))
})
afterAll(() => close())

const { call } = createCalls(() => world)

test('requests of a session are limited, and static files do not count', async () => {
  const user = await world.createUser()
  const statusOf = async (path: string, session: string) => {
    const response = await call(user, path, { session })
    await response.body?.cancel()
    return response.status
  }
  for (const session of ['one', 'other']) {
    for (let times = 0; times < 6; times += 1)
      for (const path of ['/static/icons/placeholder.svg', '/logo.png'])
        expect(await statusOf(path, session), path).not.toBe(429)
    const statuses: number[] = []
    for (let times = 0; times < 6; times += 1)
      statuses.push(await statusOf('/api/v1/auth/status', session))
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429])
  }
})
