// All routes of webhooks, for a scope that requires a caller.

import type { App } from '../http/base.ts'
import { type DeliveryRoutes, deliveryRoutes } from './routes/deliveries.ts'
import { type WebhookRoutes, webhookRoutes } from './routes/webhooks.ts'

export interface WebhookServices extends WebhookRoutes, DeliveryRoutes {}

export function ownWebhookRoutes(scope: App, services: WebhookServices): void {
  webhookRoutes(scope, services)
  deliveryRoutes(scope, services)
}
