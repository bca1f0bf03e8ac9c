// Secrets of webhooks: how they look, how they are stored and how they sign (Standard Webhooks).

import { createHmac, randomBytes } from 'node:crypto'
import { createTextSealer } from '../domain/sealed-text.ts'

const prefix = 'whsec_'
const secretBytes = 32

export function createSecret(): string {
  return `${prefix}${randomBytes(secretBytes).toString('base64')}`
}

export type SecretBox = ReturnType<typeof createSecretBox>

/** A sealed secret belongs to its webhook: in the row of another one it cannot be opened. */
export function createSecretBox(base64Key: string) {
  const sealer = createTextSealer(Buffer.from(base64Key, 'base64'))
  const ownerOf = (webhookId: string) => `webhook ${webhookId}`
  return {
    seal: (secret: string, webhookId: string) => sealer.seal(secret, ownerOf(webhookId)),

    /** @throws Error for a text that was sealed with another key, or for another webhook */
    open: (text: string, webhookId: string) => sealer.open(text, ownerOf(webhookId)),
  }
}

export interface SignedMessage {
  /** The `webhook-id`. */
  id: string
  /** Seconds since 1970. */
  timestamp: number
  body: string
}

/** The `webhook-signature`: one signature for each secret, separated by spaces. */
export function sign({ id, timestamp, body }: SignedMessage, secrets: readonly string[]): string {
  return secrets
    .map((secret) => {
      const key = Buffer.from(secret.slice(prefix.length), 'base64')
      const hmac = createHmac('sha256', key).update(`${id}.${timestamp}.${body}`)
      return `v1,${hmac.digest('base64')}`
    })
    .join(' ')
}
