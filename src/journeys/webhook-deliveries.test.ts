// Deliveries that fail: retries, rotation, disabling, fairness among receivers.

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { Received } from '../sandbox/receiver.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import {
  addWebhook,
  openWebhookWorld,
  readDeliveries,
  sendTest,
  verify,
  type WebhookWorld,
  waitForDelivery,
} from './webhook-world.ts'

let world: WebhookWorld
beforeAll(async () => {
  world = await openWebhookWorld({ replicas: 2 })
})
afterEach(async () => {
  await world.expectNoLeaks()
  await world.closeReceivers()
})
afterAll(() => world.close())

const waitUntilDisabled = (user: Awaited<ReturnType<WebhookWorld['createUser']>>, id: string) =>
  waitFor(
    async () => {
      const { body } = await user.api(`/webhooks/${id}`)
      expect(body).toMatchObject({ enabled: false })
      return body
    },
    { timeout: 60_000 },
  )

const idsOf = (received: Received[]) => new Set(received.map((one) => one.headers['webhook-id']))

test('repeats a failed message after each delay, then gives it up', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  receiver.respondWith({ status: 500 })
  const { id, secret } = await addWebhook(user, { url: receiver.url })
  const deliveryId = await sendTest(user, id)
  expect(await waitForDelivery(user, id, 'failed')).toMatchObject({
    id: deliveryId,
    attempts: 4,
    last_status: 500,
    last_error: 'status',
    next_attempt_at: null,
  })
  const received = await receiver.waitFor(4)
  expect(idsOf(received)).toEqual(new Set([deliveryId]))
  expect(new Set(received.map(({ body }) => body)).size).toBe(1)
  for (const one of received) verify(one, secret)
  const times = received.map(({ atMs }) => atMs)
  // 0.2 s, minus 20 % and the rounding of the clock.
  for (const [n, atMs] of times.slice(1).entries())
    expect(atMs - (times[n] ?? 0)).toBeGreaterThan(150)
  // Requested again, it is repeated as often as before.
  await user.api(`/webhooks/${id}/deliveries/${deliveryId}/redeliver`, { method: 'POST' })
  await receiver.waitFor(8)
  expect(await waitForDelivery(user, id, 'failed')).toMatchObject({ attempts: 8 })
})

test('waits for the time of Retry-After, on 429 and 503', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  receiver.script.push(
    { status: 429, headers: { 'retry-after': '1' } },
    { status: 503, headers: { 'retry-after': '86400000' } },
  )
  const { id } = await addWebhook(user, { url: receiver.url })
  await sendTest(user, id)
  const [first, second] = await receiver.waitFor(2)
  expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThan(950)
  const delivery = await waitFor(async () => {
    const [latest] = await readDeliveries(user, id)
    expect(latest).toMatchObject({ attempts: 2, status: 'pending', last_status: 503 })
    return latest
  })
  const hours = (Date.parse(delivery.next_attempt_at) - Date.now()) / 3_600_000
  expect(hours).toBeGreaterThan(23.9)
  expect(hours).toBeLessThan(24.1)
  // Deleted with its webhook.
  await user.api(`/webhooks/${id}`, { method: 'DELETE' })
  expect(
    await world.query('select 1 from gateway.webhook_deliveries where id = $1', [delivery.id]),
  ).toEqual([])
})

test('signs with the new and the earlier secret, also what is already being repeated', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, { url: receiver.url })
  let rotated: string | undefined
  receiver.script.push((response) => {
    void user.api(`/webhooks/${id}/secret`, { method: 'POST' }).then(({ body }) => {
      rotated = body.secret
      response.writeHead(500).end()
    })
  })
  await sendTest(user, id)
  const [first, second] = await receiver.waitFor(2)
  verify(first!, secret)
  expect(() => verify(first!, rotated!)).toThrow()
  for (const each of [secret, rotated!]) verify(second!, each)
  expect(second?.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/)
  // 24 hours later only the new one signs.
  await world.query(
    `update gateway.webhooks set secrets = jsonb_set(secrets, '{1,expiresAt}', to_jsonb(now())) where id = $1`,
    [id],
  )
  await sendTest(user, id)
  const third = (await receiver.waitFor(3))[2]
  expect(third?.headers['webhook-signature']).not.toContain(' ')
  verify(third!, rotated!)
  const [stored] = await world.query<{ text: string }>(
    'select secrets::text as text from gateway.webhooks where id = $1',
    [id],
  )
  for (const each of [secret, rotated!]) expect(stored?.text).not.toContain(each.slice(6))
})

test('disables a webhook that responds with 410, and tells its owner', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  receiver.script.push({ status: 500 }, { status: 410 })
  const { id } = await addWebhook(user, { url: receiver.url })
  await sendTest(user, id)
  await receiver.waitFor(2)
  expect(await waitUntilDisabled(user, id)).toMatchObject({ disabled_reason: 'gone' })
  expect(await waitForDelivery(user, id, 'failed')).toMatchObject({ last_status: 410 })
  const { items } = (await user.api('/notifications')).body
  expect(items).toMatchObject([
    {
      notification_type: 'warning',
      priority: 'high',
      category: 'webhooks',
      title: 'Webhook disabled',
      data: { webhook_id: id, disabled_reason: 'gone' },
      action_url: null,
    },
  ])
  // What happens during that time is not sent later.
  await user.generate()
  const enabled = await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { enabled: true } })
  expect(enabled.body).toMatchObject({ enabled: true, disabled_reason: null })
  expect(await readDeliveries(user, id)).toHaveLength(1)
})

describe('disables a webhook', () => {
  /** One more failure of a webhook that has failed like this. Returns the webhook afterwards. */
  async function failAfter(failures: number, hours: number) {
    const user = await world.createUser()
    const receiver = await world.openReceiver()
    receiver.respondWith({ status: 500 })
    const { id } = await addWebhook(user, { url: receiver.url })
    await world.query(
      `update gateway.webhooks set failures = $2, failing_since = now() - $3 * interval '1 hour' where id = $1`,
      [id, failures - 1, hours],
    )
    await sendTest(user, id)
    await receiver.waitFor(1)
    return { user, id, receiver }
  }

  test.each([
    ['50 attempts in a row failed over 12 hours', 50, 12.1],
    ['nothing succeeded for 120 hours', 2, 120.1],
  ])('once %s', async (_reason, failures, hours) => {
    const { user, id } = await failAfter(failures, hours)
    expect(await waitUntilDisabled(user, id)).toMatchObject({ disabled_reason: 'failing' })
    expect(await readDeliveries(user, id, '?status=pending')).toEqual([])
    expect((await user.api('/notifications')).body.items).toHaveLength(1)
  })

  test.each([
    ['50 failures within 12 hours', 50, 11.9],
    ['45 failures in 13 hours', 45, 13],
  ])('but not for %s', async (_reason, failures, hours) => {
    const { user, id, receiver } = await failAfter(failures, hours)
    await receiver.waitFor(4)
    await waitForDelivery(user, id, 'failed')
    expect((await user.api(`/webhooks/${id}`)).body).toMatchObject({ enabled: true })
  })

  test('and forgets failures after a success, or when it is enabled', async () => {
    const { user, id, receiver } = await failAfter(40, 119)
    receiver.respondWith({ status: 200 })
    await waitForDelivery(user, id, 'delivered')
    const counters = () =>
      world.query('select failures, failing_since from gateway.webhooks where id = $1', [id])
    expect(await counters()).toEqual([{ failures: 0, failing_since: null }])
    await world.query('update gateway.webhooks set failures = 9, failing_since = now()', [])
    await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { enabled: true } })
    expect(await counters()).toEqual([{ failures: 0, failing_since: null }])
  })
})

test('sends what is pending to the new URL, and nothing once it is disabled', async () => {
  const user = await world.createUser()
  const [receiver, other] = [await world.openReceiver(), await world.openReceiver()]
  receiver.respondWith({ status: 503, headers: { 'retry-after': '3600' } })
  const { id } = await addWebhook(user, { url: receiver.url })
  const [first, second] = [await sendTest(user, id), await sendTest(user, id)]
  await receiver.waitFor(2)
  await waitFor(async () =>
    expect(await readDeliveries(user, id)).toMatchObject([{ attempts: 1 }, { attempts: 1 }]),
  )
  await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { url: other.url } })
  await user.api(`/webhooks/${id}/deliveries/${first}/redeliver`, { method: 'POST' })
  const [moved] = await other.waitFor(1)
  expect(moved?.headers['webhook-id']).toBe(first)
  await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { enabled: false } })
  expect(await readDeliveries(user, id, '?status=failed')).toMatchObject([
    { id: second, last_error: 'disabled', next_attempt_at: null },
  ])
})

test.each([410, 500])(
  'what the earlier URL answers to an attempt under way (%i) says nothing about the new one',
  async (status) => {
    const user = await world.createUser()
    const [receiver, other] = [await world.openReceiver(), await world.openReceiver()]
    let answer: () => void = () => undefined
    receiver.script.push((response) => {
      answer = () => response.writeHead(status).end()
    })
    const { id } = await addWebhook(user, { url: receiver.url })
    const deliveryId = await sendTest(user, id)
    await receiver.waitFor(1)
    await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { url: other.url } })
    answer()
    const [moved] = await other.waitFor(1)
    expect(moved?.headers['webhook-id']).toBe(deliveryId)
    await waitForDelivery(user, id, 'delivered')
    expect((await user.api(`/webhooks/${id}`)).body).toMatchObject({
      enabled: true,
      disabled_reason: null,
    })
    expect(receiver.received).toHaveLength(1)
  },
)

test('makes at most 4 attempts at once to one host, over all replicas', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const held: (() => void)[] = []
  receiver.respondWith((response) => void held.push(() => response.writeHead(204).end()))
  const webhooks = [
    await addWebhook(user, { url: `${receiver.url}/a` }),
    await addWebhook(user, { url: `${receiver.url}/b` }),
  ]
  for (let n = 0; n < 12; n += 1)
    await sendTest(user, webhooks[n % 2]!.id, world.gateways[n % 2]?.url)
  for (let n = 0; n < 12; n += 1) {
    await receiver.waitFor(Math.min(12, n + 4))
    held.shift()?.()
  }
  for (const { id } of webhooks) await waitForDelivery(user, id, 'delivered')
  expect(receiver.mostOpen()).toBe(4)
  expect(idsOf(receiver.received).size).toBe(12)
})
