// What users do with their webhooks. Every command is limited to the caller's own: another user's
// webhook does not exist (NOT_FOUND).

import { randomUUID } from 'node:crypto'
import {
  type NewWebhook,
  type Webhook,
  type WebhookChanges,
  type WebhookEvent,
  webhookEvents,
} from '../contract/webhook.ts'
import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { respondOnce } from '../database/idempotency.ts'
import type { IdempotentRequest } from '../database/idempotency-keys.ts'
import { Problem } from '../domain/problem.ts'
import { encodeTest } from './messages.ts'
import { parseReceiver, ReceiverRefused, type Receivers } from './receivers.ts'
import { createSecret, type SecretBox } from './secrets.ts'
import {
  countPendingTests,
  insertDeliveries,
  isDelivery,
  requestAgain,
} from './statements/deliveries.ts'
import {
  deleteWebhook,
  findWebhook,
  insertWebhook,
  lockUserWebhooks,
  lockWebhook,
  type OwnWebhook,
  rotateSecret,
  updateWebhook,
  type WebhookRow,
} from './statements/webhooks.ts'
import { webhookView } from './view.ts'

export interface WebhookCommandsOptions {
  database: Pick<Database, 'query' | 'transaction'>
  channels: Pick<Channels, 'publish'>
  receivers: Receivers
  /** Undefined without WEBHOOK_SECRET_KEY. */
  secretBox: SecretBox | undefined
}

export interface Creation {
  userId: string
  given: NewWebhook
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  /** The address of a webhook. */
  locate: (id: string) => string
}

const maxWebhooks = 10
/** Each signs every delivery for a day. */
const maxSecrets = 10
const maxPendingTests = 100
const resolveTimeoutMs = 10_000
const testRetrySeconds = 60

export type WebhookCommands = ReturnType<typeof createWebhookCommands>

export function createWebhookCommands(options: WebhookCommandsOptions) {
  const { database, channels, receivers, secretBox } = options

  /** Runs a change of a locked webhook. */
  function change<T>(
    own: OwnWebhook,
    apply: (client: Queryable, row: WebhookRow) => Promise<T>,
  ): Promise<T> {
    return database.transaction(async (client) => {
      const row = await lockWebhook(client, own)
      if (!row) throw new Problem('NOT_FOUND')
      return apply(client, row)
    })
  }

  function requireBox(): SecretBox {
    if (!secretBox) throw new Problem('NOT_SUPPORTED')
    return secretBox
  }

  async function checkUrl(url: string): Promise<void> {
    // A URL that cannot be parsed may still say where it leads, such as an address with a zone.
    const isUrl = !/[\s\p{Cc}]/u.test(url) && (URL.canParse(url) || /^https?:/i.test(url))
    if (!isUrl) {
      const errors = [{ path: '/url', message: 'must be an absolute URL' }]
      throw new Problem('VALIDATION_FAILED', { errors })
    }
    await receivers.check(url, AbortSignal.timeout(resolveTimeoutMs)).catch(refuseUrl)
  }

  async function insert(client: Queryable, { userId, given }: Creation, secret: string) {
    if ((await lockUserWebhooks(client, userId)) >= maxWebhooks) {
      throw new Problem('QUOTA_EXHAUSTED')
    }
    const id = randomUUID()
    const row = await insertWebhook(client, {
      id,
      userId,
      url: given.url,
      host: parseReceiver(given.url).host,
      events: given.events ? inOrder(given.events) : [...webhookEvents],
      description: given.description || null,
      secrets: [{ sealed: requireBox().seal(secret, id), expiresAt: null }],
    })
    return webhookView(row)
  }

  const commands = {
    /**
     * A replay gives the first response without its secret.
     *
     * @throws Problem NOT_SUPPORTED, WEBHOOK_REJECTED, QUOTA_EXHAUSTED, IDEMPOTENCY_KEY_REUSED
     */
    async create(creation: Creation) {
      requireBox()
      const { userId, given, idempotency, locate } = creation
      const secret = createSecret()
      // Before the transaction, which must not wait for DNS; a replay is not refused.
      const refusal = await checkUrl(given.url).then(
        () => undefined,
        (error: unknown) => error,
      )
      const keyed = idempotency && { ...idempotency, userId }
      const stored = await respondOnce(database, keyed, async (client) => {
        if (refusal !== undefined) throw refusal
        const body = await insert(client, creation, secret)
        return { status: 201, location: locate(body.id), body }
      })
      const webhook = stored.body as Webhook
      return { ...stored, body: stored.replayed ? webhook : { ...webhook, secret } }
    },

    /** @throws Problem NOT_FOUND, WEBHOOK_REJECTED */
    async update(own: OwnWebhook, changes: WebhookChanges): Promise<WebhookRow> {
      if (changes.url !== undefined) {
        // Checked first: another user's webhook is no way to make the gateway resolve names.
        if (!(await findWebhook(database, own))) throw new Problem('NOT_FOUND')
        await checkUrl(changes.url)
      }
      return change(own, (client, row) => {
        const url = changes.url ?? row.url
        return updateWebhook(client, own, {
          url,
          host: parseReceiver(url).host,
          events: changes.events ? inOrder(changes.events) : row.events,
          description:
            changes.description === undefined ? row.description : changes.description || null,
          enabled: changes.enabled ?? row.enabled,
          // Failures of the earlier receiver do not count for the new one.
          resets: changes.enabled === true || url !== row.url,
        })
      })
    },

    /** @throws Problem NOT_FOUND */
    async remove(own: OwnWebhook): Promise<void> {
      if (!(await deleteWebhook(database, own))) throw new Problem('NOT_FOUND')
    },

    /** Returns the new secret. @throws Problem NOT_FOUND, NOT_SUPPORTED */
    rotateSecret(own: OwnWebhook): Promise<string> {
      return change(own, async (client) => {
        const secret = createSecret()
        await rotateSecret(client, own, requireBox().seal(secret, own.id), maxSecrets)
        return secret
      })
    },

    /** Returns the id of the delivery. @throws Problem NOT_FOUND, CONFLICT, RATE_LIMIT_EXCEEDED */
    async test(own: OwnWebhook): Promise<string> {
      const [id = ''] = await change(own, async (client, { enabled }) => {
        if (!enabled) throw new Problem('CONFLICT')
        if ((await countPendingTests(client, own.id, maxPendingTests)) >= maxPendingTests) {
          throw new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds: testRetrySeconds })
        }
        return insertDeliveries(client, [own.id], { event: 'test', body: encodeTest(new Date()) })
      })
      channels.publish('webhook', {})
      return id
    },

    /** @throws Problem NOT_FOUND, CONFLICT */
    async redeliver(own: OwnWebhook, deliveryId: string): Promise<void> {
      await change(own, async (client, { enabled }) => {
        if (!(await isDelivery(client, own.id, deliveryId))) throw new Problem('NOT_FOUND')
        if (!enabled) throw new Problem('CONFLICT')
        await requestAgain(client, { webhookId: own.id, id: deliveryId })
      })
      channels.publish('webhook', {})
    },
  }
  return commands
}

/** Each once, in the order of the documentation. */
const inOrder = (events: readonly WebhookEvent[]) =>
  webhookEvents.filter((event) => events.includes(event))

function refuseUrl(error: unknown): never {
  const isRefused = error instanceof ReceiverRefused
  const isLate = error instanceof DOMException && error.name === 'TimeoutError'
  if (!isRefused && !isLate) throw error
  const message = isRefused ? error.message : 'must have a host that resolves'
  throw new Problem('WEBHOOK_REJECTED', { errors: [{ path: '/url', message }] })
}
