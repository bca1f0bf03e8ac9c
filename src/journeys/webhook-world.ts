// A world with webhooks: receivers on loopback addresses, and what journeys do with them.

import { Webhook } from 'standardwebhooks'
import { expect } from 'vitest'
import { openReceiver, type Received, type ReceiverOptions } from '../sandbox/receiver.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import type { User } from './user.ts'
import { openWorld, type WorldOptions } from './world.ts'

export const secretKey = Buffer.alloc(32, 7).toString('base64')

export const webhookEnv = {
  WEBHOOK_SECRET_KEY: secretKey,
  WEBHOOK_ALLOWED_NETWORKS: '127.0.0.0/8',
  WEBHOOK_RETRY_SECONDS: '0.2,0.2,0.2',
  LEASE_SECONDS: '2',
}

export type WebhookWorld = Awaited<ReturnType<typeof openWebhookWorld>>

export async function openWebhookWorld({ env, ...options }: WorldOptions = {}) {
  const world = await openWorld({ ...options, env: { ...webhookEnv, ...env } })
  const receivers: { close(): Promise<unknown> }[] = []
  return {
    ...world,
    get url() {
      return world.url
    },
    async openReceiver(given?: ReceiverOptions) {
      const receiver = await openReceiver(given)
      receivers.push(receiver)
      return receiver
    },
    async closeReceivers() {
      for (const receiver of receivers.splice(0)) await receiver.close()
    },
    async close() {
      for (const receiver of receivers.splice(0)) await receiver.close()
      await world.close()
    },
  }
}

export interface CreatedWebhook {
  id: string
  secret: string
  url: string
}

export async function addWebhook(user: User, body: object): Promise<CreatedWebhook> {
  const response = await user.api('/webhooks', { method: 'POST', body })
  expect(response).toMatchObject({ status: 201 })
  return response.body
}

/** Sends a test message; returns the id of its delivery. */
export async function sendTest(user: User, id: string, baseUrl?: string): Promise<string> {
  const options = baseUrl === undefined ? {} : { baseUrl }
  const response = await user.api(`/webhooks/${id}/test`, { method: 'POST', ...options })
  expect(response).toMatchObject({ status: 202, body: { delivery_id: expect.any(String) } })
  return response.body.delivery_id
}

/** The message, verified by the official library. */
// biome-ignore lint/suspicious/noExplicitAny: journeys inspect every kind of message
export function verify({ body, headers }: Received, secret: string): any {
  return new Webhook(secret).verify(body, headers)
}

// biome-ignore lint/suspicious/noExplicitAny: as above
export async function readDeliveries(user: User, id: string, query = ''): Promise<any[]> {
  const response = await user.api(`/webhooks/${id}/deliveries${query}`)
  expect(response).toMatchObject({ status: 200 })
  return response.body.items
}

/** Waits until the latest delivery has this status; returns it. */
export function waitForDelivery(user: User, id: string, status: string) {
  return waitFor(
    async () => {
      const [latest] = await readDeliveries(user, id)
      expect(latest).toMatchObject({ status })
      return latest
    },
    { timeout: 60_000 },
  )
}
