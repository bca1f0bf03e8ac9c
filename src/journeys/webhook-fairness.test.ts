// Receivers that accept connections and never respond, beside one that works.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { addWebhook, openWebhookWorld, sendTest, type WebhookWorld } from './webhook-world.ts'

const deadCount = 200
const maxDelayMs = 3_000

let world: WebhookWorld
beforeAll(async () => {
  world = await openWebhookWorld({ env: { LEASE_SECONDS: '15' } })
})
afterAll(() => world.close())

test('200 dead receivers delay a good one by less than 3 s, in either order', async () => {
  const dead = await Promise.all(
    Array.from({ length: deadCount }, (_, n) => world.openReceiver({ host: `127.0.1.${n + 1}` })),
  )
  const good = await world.openReceiver()
  const owner = await world.createUser()
  const known = await addWebhook(owner, { url: good.url })
  await sendTest(owner, known.id)
  await good.waitFor(1)
  const fresh = await addWebhook(owner, { url: `${good.url}/fresh` })

  const webhooks: { user: typeof owner; id: string }[] = []
  let user = owner
  for (const [n, receiver] of dead.entries()) {
    receiver.respondWith(() => undefined)
    if (n % 10 === 0) user = await world.createUser('dead')
    webhooks.push({ user, id: (await addWebhook(user, { url: receiver.url })).id })
  }
  const half = deadCount / 2
  let sent = 1
  async function expectPrompt(id: string) {
    const startedMs = performance.now()
    await sendTest(owner, id)
    sent += 1
    const last = (await good.waitFor(sent)).at(-1)
    expect((last?.atMs ?? Number.POSITIVE_INFINITY) - startedMs).toBeLessThan(maxDelayMs)
  }
  for (const [n, { user: deadOwner, id }] of webhooks.entries()) {
    await sendTest(deadOwner, id)
    if (n + 1 === half) await expectPrompt(known.id)
  }
  await expectPrompt(fresh.id)
  await expectPrompt(known.id)
  const [leased] = await world.query<{ count: string }>(
    'select count(*) as count from gateway.webhook_deliveries where lease_token is not null',
  )
  expect(Number(leased?.count)).toBeLessThanOrEqual(50)
  const open = dead.reduce((sum, receiver) => sum + receiver.mostOpen(), 0)
  expect(open).toBeGreaterThan(50)
  // Later, when many have failed or are known to be slow.
  await Promise.all(dead.slice(0, half).map((receiver) => receiver.waitFor(1)))
  await expectPrompt(known.id)
})
