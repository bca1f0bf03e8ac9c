// Which ends of runs webhooks tell of, beside those of a first deck, and what metrics say of it.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { brief } from './user.ts'
import { addWebhook, openWebhookWorld, verify, type WebhookWorld } from './webhook-world.ts'

let world: WebhookWorld
beforeAll(async () => {
  world = await openWebhookWorld({ shape: 'A1' })
})
afterAll(() => world.close())

async function readMetric(line: string): Promise<number> {
  const text = await (await fetch(`${world.url}/metrics`)).text()
  const found = text.split('\n').find((each) => each.startsWith(`${line} `))
  return Number(found?.slice(line.length))
}

test('tells of a run that failed, and of an edit and an export that succeeded', async () => {
  const delivered = 'gateway_webhook_deliveries_total{outcome="delivered"}'
  const [countBefore, timesBefore] = [
    await readMetric(delivered),
    await readMetric('gateway_webhook_delivery_seconds_count'),
  ]
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  const { secret } = await addWebhook(user, { url: receiver.url })

  world.presenton.faults.inject('outlines:422')
  const { id: failedId } = await user.submit({ ...brief, title: 'Refused' })
  const failed = await user.waitUntilSettled(failedId)
  expect(failed).toMatchObject({ status: 'failed', error: { code: 'UPSTREAM_REJECTED' } })

  const { id } = await user.generate()
  const edit = (instruction: string) =>
    user.api(`/presentations/${id}/slides/0/edit`, { method: 'POST', body: { instruction } })
  const exportPdf = () =>
    user.api(`/presentations/${id}/exports`, { method: 'POST', body: { format: 'pdf' } })

  // None of these four is told of.
  world.presenton.faults.inject('slide-edit:422')
  await edit('Make it fail.')
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: { code: 'UPSTREAM_REJECTED' } })
  world.presenton.faults.inject('export:422')
  await exportPdf()
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: { code: 'UPSTREAM_REJECTED' } })
  world.presenton.gates.hold('slide-edit:work')
  await edit('Not this.')
  await world.presenton.gates.arrived('slide-edit:work')
  await user.api(`/presentations/${id}/cancel`, { method: 'POST' })
  world.presenton.gates.releaseAll()
  expect(await user.waitUntilSettled(id)).toMatchObject({ error: { code: 'CANCELLED' } })
  const note = { method: 'PATCH', body: { speaker_note: 'Demand doubled.' } }
  expect(await user.api(`/presentations/${id}/slides/0`, note)).toMatchObject({ status: 200 })

  await edit('Say it with flowers.')
  const edited = await user.waitUntilSettled(id)
  await exportPdf()
  const exported = await user.waitUntilSettled(id)

  const received = await receiver.waitFor(4)
  const told = received.map((one) => verify(one, secret))
  const withoutLink = (one: { links: object }) => ({
    ...one,
    links: { ...one.links, download: null },
  })
  expect(new Map(told.map(({ type, data }) => [type, data.presentation]))).toEqual(
    new Map([
      ['presentation.failed', withoutLink(failed)],
      ['presentation.completed', expect.objectContaining({ id, run: 1 })],
      ['presentation.edited', withoutLink(edited)],
      ['presentation.exported', withoutLink(exported)],
    ]),
  )
  await expect.poll(() => readMetric(delivered)).toBe(countBefore + 4)
  expect(await readMetric('gateway_webhook_delivery_seconds_count')).toBe(timesBefore + 4)
  expect(await readMetric('gateway_webhook_queue_depth')).toBe(0)
})

test('counts what is repeated, given up and waiting', async () => {
  const count = (outcome: string) =>
    readMetric(`gateway_webhook_deliveries_total{outcome="${outcome}"}`)
  const [retried, failed] = [await count('retried'), await count('failed')]
  const user = await world.createUser()
  const receiver = await world.openReceiver()
  receiver.respondWith({ status: 500 })
  const { id } = await addWebhook(user, { url: receiver.url })
  await user.api(`/webhooks/${id}/test`, { method: 'POST' })
  await expect.poll(() => readMetric('gateway_webhook_queue_depth')).toBe(1)
  await receiver.waitFor(4)
  await expect.poll(() => count('failed')).toBe(failed + 1)
  expect(await count('retried')).toBe(retried + 3)
  expect(await readMetric('gateway_webhook_queue_depth')).toBe(0)
})
