// What a receiver answers stays out of everything but the status of its delivery.

import { afterAll, beforeAll, expect, test } from 'vitest'
import {
  addWebhook,
  openWebhookWorld,
  readDeliveries,
  sendTest,
  type WebhookWorld,
  waitForDelivery,
} from './webhook-world.ts'

let world: WebhookWorld
beforeAll(async () => {
  world = await openWebhookWorld()
})
afterAll(() => world.close())

const hidden = 'internal-page-of-another-service'

test.each([
  [200, { status: 'delivered', attempts: 1, last_status: 200, last_error: null }],
  [302, { status: 'failed', attempts: 4, last_status: 302, last_error: 'redirect' }],
  [500, { status: 'failed', attempts: 4, last_status: 500, last_error: 'status' }],
])('of an answer with %i only the status is shown', async (status, expected) => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  receiver.respondWith((response) => {
    response.statusMessage = hidden
    response.writeHead(status, { location: `https://${hidden}.example/`, 'x-internal': hidden })
    response.end(`<h1>${hidden}</h1>`)
  })
  const { id } = await addWebhook(user, { url: receiver.url })
  const deliveryId = await sendTest(user, id)
  expect(await waitForDelivery(user, id, expected.status)).toEqual({
    ...expected,
    id: deliveryId,
    event: 'test',
    next_attempt_at: null,
    created_at: expect.any(String),
  })
  const shown = [
    await readDeliveries(user, id),
    (await user.api(`/webhooks/${id}`)).body,
    (await user.api('/notifications')).body,
    await (await fetch(`${world.url}/metrics`)).text(),
    world.gateways.map(({ logs }) => logs),
    await world.query('select to_jsonb(d) from gateway.webhook_deliveries d'),
    await world.query('select to_jsonb(w) from gateway.webhooks w'),
  ]
  for (const part of shown) expect(JSON.stringify(part)).not.toContain(hidden)
})
