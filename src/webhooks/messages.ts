// The body of a delivery. It is made once, with the event, so each attempt sends the same bytes.

import type { Presentation } from '../contract/presentation.ts'
import type { MessageType, WebhookEvent, WebhookMessage } from '../contract/webhook.ts'

const maxBytes = 64 * 1024

export function encodeTest(happenedAt: Date): string {
  return encode('test', happenedAt, {})
}

/**
 * The presentation without its download link. A receiver reads what was left out of a body that
 * would exceed 64 KiB with `links.self`.
 */
export function encodeEvent(event: WebhookEvent, happenedAt: Date, whole: Presentation): string {
  const presentation = { ...whole, links: { ...whole.links, download: null } }
  const body = encode(event, happenedAt, { presentation })
  if (Buffer.byteLength(body) <= maxBytes) return body
  // The owner's own labels are all that can be long.
  return encode(event, happenedAt, { presentation: { ...presentation, metadata: {} } })
}

function encode(type: MessageType, happenedAt: Date, data: WebhookMessage['data']): string {
  const message: WebhookMessage = { type, timestamp: happenedAt.toISOString(), data }
  return JSON.stringify(message)
}
