// Documents and images while Presenton is away: what needs it is refused at once.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { png } from '../../sandbox/documents.ts'
import { createCalls, openPaidWorld, type PaidWorld } from '../paid/test-world.ts'
import { formOf, notes, uploadDocuments, upstreamDuring } from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  const env = { BREAKER_MIN_CALLS: '1', BREAKER_RESET_SECONDS: '100000' }
  ;({ world, close } = await openPaidWorld(env))
})
afterAll(() => close())

const { call } = createCalls(() => world)

test('an open circuit is 503 at once, and documents are still taken', async () => {
  const user = await world.createUser()
  const [handle] = await uploadDocuments(call, user, notes)
  const image = formOf([{ name: 'a.png', content: await png() }], 'file')
  world.presenton.faults.inject('search-images:502')
  expect((await call(user, 'images/search?query=x')).status).toBe(503)
  const refused = [
    ['images/search?query=x', {}],
    ['images/uploaded', {}],
    ['images/generated', {}],
    ['images/upload', { method: 'POST', body: image }],
    [`images/${crypto.randomUUID()}`, { method: 'DELETE' }],
    ['files/decompose', { body: { file_paths: [handle] } }],
    ['presentation/create', { body: { content: 'x', file_paths: [handle] } }],
  ] as const
  const upstream = await upstreamDuring(world, async () => {
    for (const [path, options] of refused) {
      const response = await call(user, path, options)
      expect(response.status, path).toBe(503)
      expect(await response.json(), path).toEqual({ detail: expect.stringMatching(/\w+/) })
    }
    // A handle that is not the user's is told from those first.
    const body = { content: 'x', file_paths: ['/documents/x/y'] }
    expect((await call(user, 'presentation/create', { body })).status).toBe(404)
    expect(await uploadDocuments(call, user, notes)).toHaveLength(1)
  })
  expect(upstream).toEqual([])
  const uses = await world.query('select kind from gateway.maker_uses')
  expect(uses).toEqual([{ kind: 'image-search' }])
})
