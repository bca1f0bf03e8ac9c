// The request of one attempt: signs the message, checks the address of the receiver, posts it, and
// says how it went. It writes nothing.

import type { DeliveryError } from '../contract/webhook.ts'
import { ProxyError } from '../http/outbound.ts'
import type { OutboundPost, OutboundResponse } from '../http/outbound-post.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import { parseReceiver, ReceiverRefused, type Receivers, ReceiverUnresolved } from './receivers.ts'
import { type SecretBox, sign } from './secrets.ts'
import type { ClaimedDelivery } from './statements/claim.ts'

export type AttemptResult =
  | { outcome: 'delivered'; status: number }
  | {
      outcome: 'failed'
      error: DeliveryError
      status?: number
      /** When the receiver wants the next attempt. */
      retryAfterMs?: number | undefined
      /** The receiver wants no more deliveries. */
      isGone?: boolean
      /** The receiver was not reached, and is not to blame. */
      isOurs?: boolean
    }

export interface AttemptOptions {
  post: OutboundPost
  receivers: Pick<Receivers, 'findAddresses'>
  secretBox: SecretBox | undefined
  troubles: Pick<Troubles, 'report'>
  version: string
  /** For a success. */
  timeoutMs?: number
}

const maxRetryAfterMs = 86_400_000
const minRetryAfterMs = 1_000

const unreadableSecret = {
  reason: 'misconfigured',
  variable: 'WEBHOOK_SECRET_KEY',
  detail: 'It does not open the secrets of webhooks: it is missing, or was changed.',
} as const

const tlsCodes =
  /^(ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECODE)|EPROTO$|HOSTNAME_MISMATCH|INVALID_PURPOSE)/
const protocolCodes = /^(UND_ERR_HEADERS_OVERFLOW|UND_ERR_INFO|UND_ERR_RESPONSE)/

export type Attempt = ReturnType<typeof createAttempt>

/** The returned function rejects only with the reason of its signal. */
export function createAttempt(options: AttemptOptions) {
  const { post, receivers, secretBox, troubles, version, timeoutMs = 15_000 } = options

  /** The secrets that can be opened; none unless the current one can. */
  function openSecrets({ webhookId, secrets }: ClaimedDelivery): string[] {
    const opened = secrets.map((sealed) => {
      try {
        return secretBox?.open(sealed, webhookId)
      } catch {
        return undefined
      }
    })
    if (opened[0] === undefined) return []
    return opened.filter((secret) => secret !== undefined)
  }

  return async (delivery: ClaimedDelivery, signal: AbortSignal): Promise<AttemptResult> => {
    if (!delivery.enabled) return { outcome: 'failed', error: 'disabled', isOurs: true }
    const secrets = openSecrets(delivery)
    if (secrets.length === 0) {
      troubles.report('webhooks', unreadableSecret)
      return { outcome: 'failed', error: 'gateway', isOurs: true }
    }
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)])
    try {
      const receiver = parseReceiver(delivery.url)
      const addresses = await receivers.findAddresses(receiver, deadline)
      const { id, body } = delivery
      const timestamp = Math.floor(Date.now() / 1000)
      const response = await post({
        url: receiver.url,
        addresses,
        body,
        signal: deadline,
        headers: {
          'content-type': 'application/json',
          'user-agent': `presenton-gateway/${version}`,
          'webhook-id': id,
          'webhook-timestamp': String(timestamp),
          'webhook-signature': sign({ id, timestamp, body }, secrets),
        },
      })
      return judge(response)
    } catch (error) {
      signal.throwIfAborted()
      return explain(error, deadline.aborted)
    }
  }
}

function judge({ status, headers }: OutboundResponse): AttemptResult {
  if (status >= 200 && status < 300) return { outcome: 'delivered', status }
  const isRedirect = status >= 300 && status < 400
  const isBusy = status === 429 || status === 503
  return {
    outcome: 'failed',
    error: isRedirect ? 'redirect' : 'status',
    status,
    retryAfterMs: isBusy ? readRetryAfter(headers['retry-after']) : undefined,
    isGone: status === 410,
  }
}

/** Seconds or a date, up to a day; undefined for anything else. */
export function readRetryAfter(
  header: string | string[] | undefined,
  nowMs = Date.now(),
): number | undefined {
  if (typeof header !== 'string') return undefined
  const isSeconds = /^\s*\d{1,15}\s*$/.test(header)
  // Date.parse takes much more than the dates of HTTP.
  const date = /^\s*[A-Z][a-z]{2}/.test(header) ? Date.parse(header) : Number.NaN
  const ms = isSeconds ? Number(header) * 1000 : date - nowMs
  if (Number.isNaN(ms)) return undefined
  return Math.min(maxRetryAfterMs, Math.max(minRetryAfterMs, ms))
}

function explain(error: unknown, isLate: boolean): AttemptResult {
  const failed = (kind: DeliveryError) => ({ outcome: 'failed', error: kind }) as const
  if (isLate) return failed('timeout')
  if (error instanceof ReceiverUnresolved) return failed('unreachable')
  if (error instanceof ReceiverRefused) return failed('address_refused')
  if (error instanceof ProxyError) return { ...failed('gateway'), isOurs: true }
  const { name, code = '' } = error as { name: string; code?: string }
  if (tlsCodes.test(code)) return failed('tls')
  const isInvalid = name === 'HTTPParserError' || protocolCodes.test(code)
  return failed(isInvalid ? 'invalid_response' : 'unreachable')
}
