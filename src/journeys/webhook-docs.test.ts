// The receiver of docs/webhooks.md, run as it stands there.

import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readBlocks } from './docs-pages.ts'
import { addWebhook, openWebhookWorld, sendTest, waitForDelivery } from './webhook-world.ts'

let world: Awaited<ReturnType<typeof openWebhookWorld>>
beforeAll(async () => {
  world = await openWebhookWorld()
})
afterAll(() => world.close())

/** Starts the documented receiver; returns its port and the lines that it prints. */
async function startReceiver(secret: string) {
  const example = readBlocks('docs/webhooks.md').find(({ section }) => section === 'A receiver')
  const code = `${example?.code}
server.on('listening', () => console.log(server.address().port))`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
    env: { PATH: process.env['PATH'], PORT: '0', WEBHOOK_SECRET: secret },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  const next = async () => (await lines.next()).value as string
  return { port: await next(), next, stop: () => child.kill() }
}

test('the documented receiver accepts what is signed with its secret, once, and nothing else', async () => {
  const user = await world.createUser()
  const { id, secret } = await addWebhook(user, { url: 'http://127.0.0.1:9/' })
  const receiver = await startReceiver(secret)
  const url = `http://127.0.0.1:${receiver.port}/`
  await user.api(`/webhooks/${id}`, { method: 'PATCH', body: { url } })
  const { title } = await user.generate()
  expect(await receiver.next()).toBe(`presentation.completed ${title}`)
  const { id: deliveryId } = await waitForDelivery(user, id, 'delivered')
  await user.api(`/webhooks/${id}/deliveries/${deliveryId}/redeliver`, { method: 'POST' })
  expect(await waitForDelivery(user, id, 'delivered')).toMatchObject({ last_status: 204 })
  await user.api(`/webhooks/${id}/secret`, { method: 'POST' })
  await sendTest(user, id)
  expect((await receiver.next()).trim()).toBe('test')

  const unverified = await addWebhook(user, { url })
  await sendTest(user, unverified.id)
  expect(await waitForDelivery(user, unverified.id, 'failed')).toMatchObject({ last_status: 401 })
  const forged = await fetch(url, { method: 'POST', body: '{"type":"test","data":{}}' })
  expect(forged.status).toBe(401)
  receiver.stop()
})
