// What a stream would begin where the user may open no other one, and what ends a stream.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { User } from '../../journeys/user.ts'
import { waitFor } from '../../sandbox/wait-for.ts'
import {
  createCalls,
  messagesOf,
  openPaidWorld,
  type PaidWorld,
  submitHeldInSlides,
} from './test-world.ts'

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

/** Reads what has arrived up to a text; the rest follows. */
async function readUntil(response: Response, text: string) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  let found = ''
  const read = async (isEnough: () => boolean) => {
    while (!isEnough()) {
      const { done, value = '' } = await reader.read()
      if (done) return
      found += value
    }
  }
  await read(() => found.includes(text))
  return async () => {
    await read(() => false)
    return JSON.parse(/^data: (.*)\n\n$/m.exec(found.slice(found.lastIndexOf('data: ')))?.[1] ?? '')
  }
}

const sessionOver = { type: 'error', detail: 'Your session in the slide maker is over.' }

test.each([
  ['sign-out', (user: User) => call(user, '/api/v1/auth/logout', { method: 'POST' })],
  ['DELETE /maker', (user: User) => user.api('/maker', { method: 'DELETE' })],
  [
    'its time',
    (user: User) =>
      world.query('update gateway.maker_sessions set expires_at = now() where user_id = $1', [
        user.sub,
      ]),
  ],
] as const)(
  'open streams end with their session, by %s, and what they show goes on',
  async (_, end) => {
    const user = await world.createUser()
    const { id, deckId } = await submitHeldInSlides(world, user)
    const slides = await call(user, `presentation/stream/${deckId}`)
    const last = await readUntil(slides, ': ')
    await end(user)
    expect(await last()).toEqual(sessionOver)
    expect((await call(user, `presentation/stream/${deckId}`)).status).toBe(401)
    world.presenton.gates.releaseAll()
    expect(await user.waitUntilSettled(id)).toMatchObject({ status: 'completed', revision: 1 })
  },
)

test('the chat ends with its session, and its turn goes on', async () => {
  const user = await world.createUser()
  const { id, presenton_presentation_id: deckId } = await user.generate()
  const body = { presentation_id: String(deckId), message: 'tool:deleteSlide {"index":0}' }
  world.presenton.gates.hold('chat:work')
  const last = await readUntil(await call(user, 'chat/message/stream', { body }), ': ')
  await world.presenton.gates.arrived('chat:work')
  await user.api('/maker', { method: 'DELETE' })
  expect(await last()).toEqual(sessionOver)
  world.presenton.gates.releaseAll()
  await waitFor(async () => expect(await user.read(id)).toMatchObject({ revision: 2 }))
})

test('HEAD asks upstream for nothing, and pays for nothing', async () => {
  const user = await world.createUser()
  for (const path of [
    'images/generate?prompt=river',
    `presentation/stream/${crypto.randomUUID()}`,
    ...['/dashboard', '/logo.png', '/static/icons/placeholder.svg', 'template/all'],
    `presentation/${crypto.randomUUID()}`,
  ]) {
    const asked = await world.upstreamDuring(async () => {
      const response = await call(user, path, { method: 'HEAD' })
      expect(response.status, path).toBe(405)
      expect(response.headers.get('allow'), path).not.toContain('HEAD')
    })
    expect(asked, path).toEqual([])
  }
  expect(await editsOf(user)).toBe(0)
})
