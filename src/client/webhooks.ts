// Webhooks: added, changed, tried, and what became of their deliveries.

import { iteratePages } from './pages.ts'
import type { Requests } from './requests.ts'
import type {
  CallOptions,
  CreatedWebhook,
  CreatingOptions,
  DeliveryStatus,
  NewWebhook,
  Webhook,
  WebhookChanges,
  WebhookDelivery,
} from './types.ts'

export interface DeliveriesOptions extends CallOptions {
  status?: DeliveryStatus | undefined
  /** Of a page. */
  limit?: number | undefined
}

export function createWebhooks({ send, create, remove }: Requests) {
  const at = (id: string, rest = '') => `/webhooks/${encodeURIComponent(id)}${rest}`

  return {
    /**
     * The `secret` is shown this once. It is missing where the key was used before, also by an
     * attempt of this call whose response was lost: then `rotateSecret` gives a new one.
     */
    create: (webhook: NewWebhook, options: CreatingOptions = {}) =>
      create<CreatedWebhook>({ path: '/webhooks', json: webhook }, options),

    /** Newest first. */
    list: async function* ({ signal }: CallOptions = {}): AsyncGenerator<Webhook, void, undefined> {
      yield* (await send<{ items: Webhook[] }>({ path: '/webhooks', signal })).items
    },

    get: (id: string, { signal }: CallOptions = {}): Promise<Webhook> =>
      send({ path: at(id), signal }),

    /** `{ enabled: true }` also forgets its failures. */
    update: (id: string, json: WebhookChanges, { signal }: CallOptions = {}): Promise<Webhook> =>
      send({ method: 'PATCH', path: at(id), json, signal }),

    delete: (id: string, options: CallOptions = {}) => remove(at(id), options),

    /** For 24 hours deliveries are signed with the earlier secret, too. */
    rotateSecret: (id: string, { signal }: CallOptions = {}): Promise<{ secret: string }> =>
      send({ method: 'POST', path: at(id, '/secret'), signal }),

    test: (id: string, { signal }: CallOptions = {}): Promise<{ delivery_id: string }> =>
      send({ method: 'POST', path: at(id, '/test'), signal }),

    /** Newest first. */
    deliveries: (
      id: string,
      { status, limit, signal }: DeliveriesOptions = {},
    ): AsyncGenerator<WebhookDelivery, void, undefined> =>
      iteratePages((cursor) =>
        send({ path: at(id, '/deliveries'), query: { status, limit, cursor }, signal }),
      ),

    /** The same message once more. */
    redeliver: (
      id: string,
      deliveryId: string,
      { signal }: CallOptions = {},
    ): Promise<{ delivery_id: string }> => {
      const rest = `/deliveries/${encodeURIComponent(deliveryId)}/redeliver`
      return send({ method: 'POST', path: at(id, rest), signal })
    },
  }
}
