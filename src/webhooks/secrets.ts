// Secrets of webhooks: how they look, how they are stored and how they sign (Standard Webhooks).

import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'

const prefix = 'whsec_'
const secretBytes = 32
const ivBytes = 12
const tagBytes = 16

export function createSecret(): string {
  return `${prefix}${randomBytes(secretBytes).toString('base64')}`
}

export type SecretBox = ReturnType<typeof createSecretBox>

/**
 * Encrypts secrets with AES-256-GCM. A sealed text belongs to its webhook: in the row of another
 * one it cannot be opened.
 */
export function createSecretBox(base64Key: string) {
  const key = Buffer.from(base64Key, 'base64')
  const contextOf = (webhookId: string) => Buffer.from(`webhook ${webhookId}`)

  return {
    seal(secret: string, webhookId: string): string {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(contextOf(webhookId))
      const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
    },

    /** @throws Error for a text that was sealed with another key, or for another webhook */
    open(text: string, webhookId: string): string {
      const bytes = Buffer.from(text, 'base64')
      const tag = bytes.subarray(ivBytes, ivBytes + tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(contextOf(webhookId)).setAuthTag(tag)
      const opened = [decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]
      return Buffer.concat(opened).toString('utf8')
    },
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
