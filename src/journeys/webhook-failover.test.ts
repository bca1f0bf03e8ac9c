// Deliveries through crashes, shutdowns and replicas that do not send; TLS through a proxy.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { createCertificate } from '../sandbox/certificate.ts'
import { openForwardProxy } from '../sandbox/forward-proxy.ts'
import { openTemporaryFolder } from '../sandbox/temporary-folder.ts'
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
const folder = openTemporaryFolder('webhooks')
beforeAll(async () => {
  // Takes requests; each test starts the replicas that send.
  world = await openWebhookWorld({ env: { WORKER: 'false' } })
})
afterEach(() => world.closeReceivers())
afterAll(async () => {
  await world.close()
  folder.remove()
})

const worker = { WORKER: 'true' }

test('sends what was written before a crash, and only where WORKER is on', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, { url: receiver.url })
  const crashing = await world.spawnReplica({ WORKER: 'false' })
  const deliveryId = await sendTest(user, id, crashing.url)
  await crashing.kill()
  expect(await readDeliveries(user, id)).toMatchObject([{ status: 'pending', attempts: 0 }])
  const replica = await world.spawnReplica(worker)
  const [received] = await receiver.waitFor(1)
  expect(received?.headers['webhook-id']).toBe(deliveryId)
  verify(received!, secret)
  expect(await waitForDelivery(user, id, 'delivered')).toMatchObject({ attempts: 1 })
  await replica.kill()
})

test.each([
  ['before the response', false],
  ['while the response is on its way', true],
])('sends a message again after kill -9 %s, with the same id', async (_when, responds) => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, { url: receiver.url })
  const crashing = await world.spawnReplica(worker)
  const killed = new Promise<void>((resolve) => {
    receiver.script.push((response) => {
      void crashing.kill().then(() => {
        if (responds) response.writeHead(204).end()
        resolve()
      })
    })
  })
  const deliveryId = await sendTest(user, id)
  await killed
  const next = await world.spawnReplica(worker)
  const received = await receiver.waitFor(2)
  for (const one of received) {
    expect(one.headers['webhook-id']).toBe(deliveryId)
    verify(one, secret)
  }
  expect(received[1]?.body).toBe(received[0]?.body)
  expect(await waitForDelivery(user, id, 'delivered')).toMatchObject({ attempts: 1 })
  await next.kill()
  expect(receiver.received).toHaveLength(2)
})

test('a run that ends while no replica sends is told of later, once', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id, secret } = await addWebhook(user, {
    url: receiver.url,
    events: ['presentation.completed'],
  })
  receiver.respondWith({ status: 503, headers: { 'retry-after': '1' } })
  const first = await world.spawnReplica(worker)
  const { id: presentationId } = await user.generate()
  await receiver.waitFor(1)
  await first.kill()
  receiver.respondWith({ status: 204 })
  const second = await world.spawnReplica(worker)
  await waitForDelivery(user, id, 'delivered')
  expect(new Set(receiver.received.map((one) => one.headers['webhook-id'])).size).toBe(1)
  const message = verify(receiver.received.at(-1)!, secret)
  expect(message.data.presentation).toMatchObject({ id: presentationId, status: 'completed' })
  expect(await readDeliveries(user, id)).toHaveLength(1)
  await second.kill()
})

test('finishes an attempt at shutdown, or gives it back at the end of the grace', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id } = await addWebhook(user, { url: receiver.url })
  const finishing = await world.openReplica(worker)
  let stopped: Promise<void> | undefined
  receiver.script.push((response) => {
    stopped = world.closeReplica(finishing)
    setImmediate(() => response.writeHead(204).end())
  })
  await sendTest(user, id)
  await receiver.waitFor(1)
  await stopped
  expect(await readDeliveries(user, id)).toMatchObject([{ status: 'delivered', attempts: 1 }])

  const leaving = await world.openReplica({ ...worker, SHUTDOWN_GRACE_SECONDS: '0' })
  receiver.script.push(() => undefined)
  const deliveryId = await sendTest(user, id)
  await receiver.waitFor(2)
  await world.closeReplica(leaving)
  const [row] = await world.query(
    'select status, attempts, lease_token from gateway.webhook_deliveries where id = $1',
    [deliveryId],
  )
  expect(row).toEqual({ status: 'pending', attempts: 0, lease_token: null })
  await world.closeReplica(await afterNext())

  async function afterNext() {
    const next = await world.openReplica(worker)
    await receiver.waitFor(3)
    await waitForDelivery(user, id, 'delivered')
    return next
  }
})

test('fails with another WEBHOOK_SECRET_KEY, until the secret is replaced', async () => {
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { id } = await addWebhook(user, { url: receiver.url })
  const changed = {
    ...worker,
    WEBHOOK_SECRET_KEY: Buffer.alloc(32, 8).toString('base64'),
    WEBHOOK_RETRY_SECONDS: '0.1',
  }
  const replica = await world.openReplica(changed)
  await sendTest(user, id)
  expect(await waitForDelivery(user, id, 'failed')).toMatchObject({ last_error: 'gateway' })
  expect(receiver.received).toHaveLength(0)
  expect(replica.logs.join('')).toContain('"variable":"WEBHOOK_SECRET_KEY"')
  const options = { method: 'POST', baseUrl: replica.url }
  const { secret } = (await user.api(`/webhooks/${id}/secret`, options)).body
  await sendTest(user, id)
  const [received] = await receiver.waitFor(1)
  verify(received!, secret)
  await world.closeReplica(replica)

  const without = await world.openReplica({ WEBHOOK_SECRET_KEY: undefined })
  const refused = await user.api('/webhooks', {
    ...options,
    baseUrl: without.url,
    body: { url: receiver.url },
  })
  expect(refused).toMatchObject({ status: 409, body: { code: 'NOT_SUPPORTED' } })
  expect(await user.api('/webhooks', { baseUrl: without.url })).toMatchObject({ status: 200 })
  await world.closeReplica(without)
})

test('reaches a name over TLS, directly and through a proxy that gets only its address', async () => {
  const certificate = createCertificate({ host: 'localhost' })
  const ca = join(folder.path, 'ca.pem')
  writeFileSync(ca, certificate.cert)
  const receiver = await world.openReceiver({ certificate })
  const proxy = await openForwardProxy({ target: receiver })
  const user = await world.createUser()
  const url = `https://localhost:${receiver.port}/`
  const env = { ...worker, NODE_EXTRA_CA_CERTS: ca, WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8,::1' }
  const direct = await world.spawnReplica(env)
  const created = await user.api('/webhooks', {
    method: 'POST',
    baseUrl: direct.url,
    body: { url },
  })
  expect(created).toMatchObject({ status: 201 })
  await sendTest(user, created.body.id)
  await receiver.waitFor(1)
  // Otherwise the message would be sent again.
  await waitForDelivery(user, created.body.id, 'delivered')
  await direct.kill()
  const proxied = await world.spawnReplica({ ...env, HTTPS_PROXY: proxy.url })
  await sendTest(user, created.body.id)
  const received = await receiver.waitFor(2)
  for (const one of received) {
    expect(one.headers['host']).toBe(`localhost:${receiver.port}`)
    verify(one, created.body.secret)
  }
  expect(proxy.requests).toEqual([`CONNECT 127.0.0.1:${receiver.port}`])
  await waitForDelivery(user, created.body.id, 'delivered')
  await proxied.kill()
  await proxy.close()
})
