// What a stream would begin, where the user may open no other one.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import { createCalls, messagesOf, openPaidWorld, type PaidWorld } from './test-world.ts'

let world: PaidWorld['world']
let close: PaidWorld['close']
beforeAll(async () => {
  ;({ world, close } = await openPaidWorld({ MAX_STREAMS_PER_USER: '1' }))
})
afterEach(() => world.expectNoLeaks())
afterAll(() => close())

const { call } = createCalls(() => world)

const chat = (user: User, deckId: unknown) =>
  call(user, 'chat/message/stream', { body: { presentation_id: deckId, message: 'tool:none' } })

const editsOf = async (user: User) => (await user.api('/usage')).body.edits_per_day.used as number

test('a message that gets no stream costs nothing, and starts no turn', async () => {
  const user = await world.createUser()
  const [one, other] = [await user.generate(), await user.generate()]
  const { gates } = world.presenton
  gates.hold('chat:work')
  const open = messagesOf(chat(user, one['presenton_presentation_id']))
  await gates.arrived('chat:work')
  expect((await chat(user, other['presenton_presentation_id'])).status).toBe(429)
  expect(await world.query('select presentation_id as id from gateway.chat_turns')).toEqual([
    { id: one.id },
  ])
  expect(await editsOf(user)).toBe(1)
  gates.releaseAll()
  expect((await open).at(-1)?.type).toBe('complete')
  // A refused message leaves the place free.
  expect((await chat(user, crypto.randomUUID())).status).toBe(404)
  const next = await messagesOf(chat(user, other['presenton_presentation_id']))
  expect(next.at(-1)?.type).toBe('complete')
})

test('HEAD pays for nothing', async () => {
  const user = await world.createUser()
  for (const path of [
    'images/generate?prompt=river',
    `presentation/stream/${crypto.randomUUID()}`,
  ]) {
    const response = await call(user, path, { method: 'HEAD' })
    expect(response.status, path).toBe(405)
    expect(response.headers.get('allow'), path).not.toContain('HEAD')
  }
  expect(await editsOf(user)).toBe(0)
})
