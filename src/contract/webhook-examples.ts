// Webhooks as examples for the documentation.

import { type Webhook, type WebhookDelivery, webhookEvents } from './webhook.ts'

export const webhookExample: Webhook = {
  id: '5d0a1c1e-6a0e-4d0e-9a0b-1f6d2c3b4a59',
  url: 'https://receiver.example/presentations',
  events: [...webhookEvents],
  description: 'Posts finished decks into the team channel',
  enabled: true,
  disabled_reason: null,
  created_at: '2026-11-20T10:00:00.000Z',
  updated_at: '2026-11-20T10:00:00.000Z',
}

export const secretExample = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo='

export const deliveryExample: WebhookDelivery = {
  id: 'f3c9a6de-98a1-4a60-9c7e-5b1d7a0c2e44',
  event: 'presentation.completed',
  status: 'pending',
  attempts: 1,
  last_status: 503,
  last_error: 'status',
  next_attempt_at: '2026-11-20T10:02:05.000Z',
  created_at: '2026-11-20T10:02:00.000Z',
}
