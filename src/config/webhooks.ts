// The variables of webhooks, and what the configuration makes of them.

import { decimal, delays, encryptionKey, listOf, network, optional, or } from './values.ts'

const defaultRetrySeconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]

export const webhookVariables = {
  WEBHOOK_SECRET_KEY: optional(encryptionKey),
  WEBHOOK_ALLOWED_NETWORKS: or([], listOf(network)),
  WEBHOOK_RETRY_SECONDS: or(defaultRetrySeconds, delays),
  WEBHOOK_DISABLE_HOURS: or(120, decimal(0.0001, 87_600)),
}

type Values = {
  [Name in keyof typeof webhookVariables]: ReturnType<(typeof webhookVariables)[Name]>
}

export function webhookConfig(v: Values) {
  return {
    /** Base64. Without it no webhook can be made. */
    secretKey: v.WEBHOOK_SECRET_KEY,
    /** Their addresses may be used although they are not public, and with http. */
    allowedNetworks: v.WEBHOOK_ALLOWED_NETWORKS,
    /** The delay before each further attempt. */
    retryMs: v.WEBHOOK_RETRY_SECONDS.map((seconds) => Math.round(seconds * 1000)),
    /** A webhook is disabled after this time of failures only. */
    disableMs: v.WEBHOOK_DISABLE_HOURS * 3_600_000,
  }
}
