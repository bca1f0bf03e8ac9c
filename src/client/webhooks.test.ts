import { afterAll, beforeAll, expect, it } from 'vitest'
import { openWebhookWorld, verify } from '../journeys/webhook-world.ts'
import { createClient } from './client.ts'

let world: Awaited<ReturnType<typeof openWebhookWorld>>
beforeAll(async () => {
  world = await openWebhookWorld()
})
afterAll(() => world.close())

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

it('adds, changes, tries and deletes webhooks, and lists their deliveries', async () => {
  const { token } = await world.createUser()
  const { webhooks } = createClient({ baseUrl: world.url, token })
  const receiver = await world.openReceiver()
  const made = await webhooks.create({ url: receiver.url }, { idempotencyKey: 'k' })
  const { secret = '', ...webhook } = made
  expect(await webhooks.create({ url: receiver.url }, { idempotencyKey: 'k' })).toEqual(webhook)
  expect(await webhooks.get(made.id)).toEqual(webhook)
  expect(await collect(webhooks.list())).toEqual([webhook])
  expect(await webhooks.update(made.id, { description: 'mine' })).toMatchObject({
    description: 'mine',
  })
  const tests = [await webhooks.test(made.id), await webhooks.test(made.id)]
  const ids = tests.map(({ delivery_id }) => delivery_id).reverse()
  const [received] = await receiver.waitFor(2)
  expect(verify(received!, secret)).toMatchObject({ type: 'test' })
  const deliveries = await collect(webhooks.deliveries(made.id, { limit: 1 }))
  expect(deliveries.map(({ id }) => id)).toEqual(ids)
  const rotated = await webhooks.rotateSecret(made.id)
  expect(await webhooks.redeliver(made.id, ids[0]!)).toEqual({ delivery_id: ids[0] })
  verify((await receiver.waitFor(3))[2]!, rotated.secret)
  await webhooks.delete(made.id)
  await expect(webhooks.get(made.id)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  expect(await collect(webhooks.list())).toEqual([])
})
