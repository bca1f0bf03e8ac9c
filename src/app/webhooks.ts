// Webhooks, composed: what their routes call, and what sends deliveries.

import type { Config } from '../config/config.ts'
import { createOutboundPost } from '../http/outbound-post.ts'
import { apiPrefix } from '../presentations/view.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import { createAttempt } from '../webhooks/attempt.ts'
import { createWebhookCommands } from '../webhooks/commands.ts'
import { createReceivers } from '../webhooks/receivers.ts'
import type { WebhookServices } from '../webhooks/routes.ts'
import { createSecretBox } from '../webhooks/secrets.ts'
import { openWebhookSender } from '../webhooks/sender.ts'
import { countPending, listDeliveries } from '../webhooks/statements/deliveries.ts'
import { findWebhook, listWebhooks } from '../webhooks/statements/webhooks.ts'
import type { Adapters } from './adapters.ts'
import type { PublicUrl } from './public-url.ts'

export interface WebhooksOptions {
  config: Pick<Config, 'webhooks' | 'proxies' | 'leaseMs'>
  logger: Logger
  adapters: Pick<Adapters, 'database' | 'renewals' | 'channels' | 'reportDisabledWebhook'>
  metrics: Pick<Metrics, 'onWebhookAttempt'>
  troubles: Troubles
  publicUrl: PublicUrl
  version: string
  tracer: Tracer | undefined
}

export function createWebhooks(options: WebhooksOptions) {
  const { config, logger, adapters, metrics, troubles, publicUrl, version } = options
  const { secretKey, allowedNetworks, retryMs, disableMs } = config.webhooks
  const { database, renewals, channels, reportDisabledWebhook } = adapters
  const receivers = createReceivers({ allowedNetworks })
  const secretBox = secretKey === undefined ? undefined : createSecretBox(secretKey)
  const disableRules = { disableMs, reportDisabled: reportDisabledWebhook }

  const services: WebhookServices = {
    commands: createWebhookCommands({ database, channels, receivers, secretBox }),
    find: (own) => findWebhook(database, own),
    list: (userId) => listWebhooks(database, userId),
    listDeliveries: (query) => listDeliveries(database, query),
    locate: (id) => `${publicUrl.read()}${apiPrefix}/webhooks/${id}`,
  }

  return {
    services,
    disableRules,
    countPending: () => countPending(database),
    openSender: () =>
      openWebhookSender({
        database,
        renewals,
        channels,
        attempt: createAttempt({
          post: createOutboundPost(config.proxies),
          receivers,
          secretBox,
          troubles,
          version,
        }),
        leaseMs: config.leaseMs,
        retryMs,
        disableRules,
        logger,
        onAttempt: metrics.onWebhookAttempt,
        tracer: options.tracer,
      }),
  }
}
