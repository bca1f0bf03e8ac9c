// Webhooks as their owner sees them: routes, messages, secrets, deliveries.

import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { brief } from './user.ts'
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
  world = await openWebhookWorld()
})
afterEach(async () => {
  await world.expectNoLeaks()
  await world.closeReceivers()
})
afterAll(() => world.close())

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
const unknown = '00000000-0000-4000-8000-000000000000'

test('adds, lists, changes and deletes webhooks, of their owner only', async () => {
  const [user, other] = [await world.createUser(), await world.createUser()]
  const made = await user.api('/webhooks', {
    method: 'POST',
    body: { url: 'http://127.0.0.1:9/a', description: 'mine' },
  })
  expect(made.status).toBe(201)
  const { secret, ...webhook } = made.body
  const location = new URL(made.headers.get('location') ?? '')
  expect(location.pathname).toBe(`/api/v1/webhooks/${webhook.id}`)
  expect(secret).toMatch(/^whsec_[\w+/]{43}=$/)
  expect(webhook).toEqual({
    id: expect.any(String),
    url: 'http://127.0.0.1:9/a',
    events: [
      ...['completed', 'failed', 'cancelled', 'awaiting_outlines', 'exported', 'edited'],
      'deleted',
    ].map((event) => `presentation.${event}`),
    description: 'mine',
    enabled: true,
    disabled_reason: null,
    created_at: time,
    updated_at: time,
  })
  const path = `/webhooks/${webhook.id}`
  expect((await user.api('/webhooks')).body).toEqual({ items: [webhook] })
  expect((await user.api(path)).body).toEqual(webhook)
  const events = ['presentation.failed', 'presentation.completed', 'presentation.failed']
  const patched = await user.api(path, {
    method: 'PATCH',
    body: { url: 'http://127.0.0.1:9/b', events, description: null, enabled: false },
  })
  expect(patched).toMatchObject({
    status: 200,
    body: {
      url: 'http://127.0.0.1:9/b',
      events: ['presentation.completed', 'presentation.failed'],
      description: null,
      enabled: false,
      disabled_reason: null,
    },
  })
  for (const [method, tail, body] of [
    ['GET', '', undefined],
    ['PATCH', '', { enabled: true }],
    ['PATCH', '', { url: 'http://10.0.0.1/' }],
    ['DELETE', '', undefined],
    ['POST', '/secret', undefined],
    ['POST', '/test', undefined],
    ['GET', '/deliveries', undefined],
    ['POST', `/deliveries/${unknown}/redeliver`, undefined],
  ] as const) {
    const options = { method, ...(body && { body }) }
    expect((await other.api(`${path}${tail}`, options)).status).toBe(404)
    expect((await user.api(`/webhooks/${unknown}${tail}`, options)).status).toBe(404)
  }
  expect((await other.api('/webhooks')).body).toEqual({ items: [] })
  expect((await user.api(path, { method: 'DELETE' })).status).toBe(204)
  expect((await user.api(path, { method: 'DELETE' })).status).toBe(404)
})

test('allows ten webhooks, exactly, and replays a creation without its secret', async () => {
  const user = await world.createUser()
  const body = { url: 'http://127.0.0.1:9/' }
  const create = (headers = {}) => user.api('/webhooks', { method: 'POST', body, headers })
  const headers = { 'idempotency-key': 'once' }
  const first = await create(headers)
  const again = await create(headers)
  const { secret: _secret, ...shown } = first.body
  expect(again).toMatchObject({ status: 201, body: shown })
  expect(again.body).not.toHaveProperty('secret')
  expect(again.headers.get('idempotency-replayed')).toBe('true')
  const reused = await user.api('/webhooks', {
    method: 'POST',
    body: { ...body, description: 'x' },
    headers,
  })
  expect(reused).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } })
  const responses = await Promise.all(Array.from({ length: 15 }, () => create()))
  expect(responses.filter(({ status }) => status === 201)).toHaveLength(9)
  const refused = responses.filter(({ status }) => status !== 201)
  for (const response of refused)
    expect(response).toMatchObject({ status: 402, body: { code: 'QUOTA_EXHAUSTED' } })
  expect((await user.api('/webhooks')).body.items).toHaveLength(10)
})

test.each([
  [{}, 400],
  [{ url: 'no url' }, 400],
  [{ url: '/relative' }, 400],
  [{ url: 7 }, 400],
  [{ url: 'http://127.0.0.1/', events: [] }, 400],
  [{ url: 'http://127.0.0.1/', events: ['presentation.saved'] }, 400],
  [{ url: 'http://127.0.0.1/', events: ['test'] }, 400],
  [{ url: 'http://127.0.0.1/', secret: 'whsec_x' }, 400],
  [{ url: 'ftp://127.0.0.1/' }, 422],
  [{ url: 'http://10.0.0.1/' }, 422],
  [{ url: 'http://[::1]/' }, 422],
  [{ url: 'https://user:password@127.0.0.1/' }, 422],
  [{ url: 'https://[fe80::1%25eth0]/' }, 422],
  [{ url: 'https://nowhere.invalid/' }, 422],
] as [object, number][])('refuses %j with %i', async (body, status) => {
  const user = await world.createUser()
  const code = status === 400 ? 'VALIDATION_FAILED' : 'WEBHOOK_REJECTED'
  const response = await user.api('/webhooks', { method: 'POST', body })
  expect(response).toMatchObject({ status, body: { code } })
})

test('refuses a URL of over 2048 characters, and a description of over 200', async () => {
  const user = await world.createUser()
  const url = 'http://127.0.0.1/'
  for (const body of [{ url: url.padEnd(2049, 'x') }, { url, description: 'x'.repeat(201) }])
    expect((await user.api('/webhooks', { method: 'POST', body })).status).toBe(400)
  const longest = { url: url.padEnd(2048, 'x'), description: 'x'.repeat(200) }
  expect(await addWebhook(user, longest)).toMatchObject(longest)
})

test('tells of each event, in messages that the official library verifies', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id: webhookId, secret } = await addWebhook(user, { url: `${receiver.url}/hook?a=b` })
  await addWebhook(await world.createUser(), { url: `${receiver.url}/foreign` })

  const made = await user.submit({ ...brief, review_outlines: true, metadata: { team: 'ops' } })
  await user.waitUntilSettled(made.id)
  await user.api(`/presentations/${made.id}/outlines`, { method: 'PUT', body: {} })
  const completed = await user.waitUntilSettled(made.id)
  await user.api(`/presentations/${made.id}/exports`, { method: 'POST', body: { format: 'pdf' } })
  await user.waitUntilSettled(made.id)
  await user.api(`/presentations/${made.id}`, { method: 'PATCH', body: { title: 'Renamed' } })
  world.presenton.gates.hold('outlines:chunk')
  const cancelled = await user.submit()
  await world.presenton.gates.arrived('outlines:chunk')
  await user.api(`/presentations/${cancelled.id}/cancel`, { method: 'POST' })
  world.presenton.gates.releaseAll()
  await user.api(`/presentations/${made.id}`, { method: 'DELETE' })

  const received = await receiver.waitFor(5)
  const messages = new Map(received.map((one) => [JSON.parse(one.body).type, verify(one, secret)]))
  expect([...messages.keys()].sort()).toEqual(
    ['awaiting_outlines', 'cancelled', 'completed', 'deleted', 'exported'].map(
      (event) => `presentation.${event}`,
    ),
  )
  for (const { path, headers } of received) {
    expect(path).toBe('/hook?a=b')
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'user-agent': expect.stringMatching(/^presenton-gateway\/\d/),
      'webhook-signature': expect.stringMatching(/^v1,\S+$/),
    })
  }
  const message = messages.get('presentation.completed')
  expect(message).toEqual({
    type: 'presentation.completed',
    timestamp: time,
    data: { presentation: { ...completed, links: { ...completed.links, download: null } } },
  })
  const stateIn = (event: string) =>
    messages.get(`presentation.${event}`).data.presentation as Record<string, unknown>
  expect(stateIn('awaiting_outlines')).toMatchObject({ status: 'awaiting_outlines', files: [] })
  expect(stateIn('exported')).toMatchObject({ status: 'completed', run: 2 })
  expect(stateIn('exported').files).toHaveLength(2)
  expect(stateIn('cancelled')).toMatchObject({ id: cancelled.id, status: 'cancelled' })
  expect(stateIn('deleted')).toMatchObject({ id: made.id, title: 'Renamed', status: 'completed' })

  await waitForDelivery(user, webhookId, 'delivered')
  const deliveries = await readDeliveries(user, webhookId)
  expect(deliveries.map(({ id }) => id).sort()).toEqual(
    received.map(({ headers }) => headers['webhook-id']).sort(),
  )
  expect(deliveries[0]).toEqual({
    id: expect.any(String),
    event: 'presentation.deleted',
    status: 'delivered',
    attempts: 1,
    last_status: 204,
    last_error: null,
    next_attempt_at: null,
    created_at: time,
  })
})

test('sends only the wanted events, and tests always', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, {
    url: receiver.url,
    events: ['presentation.failed'],
  })
  await user.generate()
  const deliveryId = await sendTest(user, id)
  const [received] = await receiver.waitFor(1)
  expect(verify(received!, secret)).toEqual({ type: 'test', timestamp: time, data: {} })
  expect(received?.headers['webhook-id']).toBe(deliveryId)
  await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { enabled: false } })
  for (const tail of ['test', `deliveries/${deliveryId}/redeliver`]) {
    const refused = await user.api(`/webhooks/${id}/${tail}`, { method: 'POST' })
    expect(refused).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
  }
})

test('sends the same message once more on request', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, { url: receiver.url })
  const deliveryId = await sendTest(user, id)
  await waitForDelivery(user, id, 'delivered')
  const path = `/webhooks/${id}/deliveries/${deliveryId}/redeliver`
  expect(await user.api(path, { method: 'POST' })).toMatchObject({ status: 202 })
  const [first, second] = await receiver.waitFor(2)
  expect(second?.body).toBe(first?.body)
  expect(second?.headers['webhook-id']).toBe(deliveryId)
  verify(second!, secret)
  expect(await waitForDelivery(user, id, 'delivered')).toMatchObject({ attempts: 2 })
})

test('pages through deliveries, newest first, and by status', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id } = await addWebhook(user, { url: receiver.url })
  const sent: string[] = []
  for (let n = 0; n < 5; n += 1) sent.unshift(await sendTest(user, id))
  await receiver.waitFor(5)
  const found: string[] = []
  for (let cursor = ''; ; ) {
    const page = await user.api(`/webhooks/${id}/deliveries?limit=2${cursor}`)
    found.push(...page.body.items.map((item: { id: string }) => item.id))
    if (page.body.next_cursor === null) break
    cursor = `&cursor=${page.body.next_cursor}`
  }
  expect(found).toEqual(sent)
  await waitForDelivery(user, id, 'delivered')
  expect(await readDeliveries(user, id, '?status=failed')).toEqual([])
  for (const query of ['?cursor=x', '?limit=0', '?status=sent'])
    expect((await user.api(`/webhooks/${id}/deliveries${query}`)).status).toBe(400)
})
