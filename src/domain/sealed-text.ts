// Encrypts secrets that are stored in Postgres.

import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const ivBytes = 12
const tagBytes = 16
const keyBytes = 32

/**
 * Encrypts with AES-256-GCM. A sealed text belongs to its owner, such as a row: in the row of
 * another one it cannot be opened.
 */
export function createTextSealer(key: Uint8Array) {
  return {
    seal(secret: string, owner: string): string {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(owner))
      const sealed = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()])
      return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64')
    },

    /** @throws Error for a text that was sealed with another key, or for another owner */
    open(text: string, owner: string): string {
      const bytes = Buffer.from(text, 'base64')
      const tag = bytes.subarray(ivBytes, ivBytes + tagBytes)
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, ivBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(Buffer.from(owner)).setAuthTag(tag)
      const opened = [decipher.update(bytes.subarray(ivBytes + tagBytes)), decipher.final()]
      return Buffer.concat(opened).toString('utf8')
    },
  }
}

/** A key for one purpose, from a secret that has several (RFC 5869). */
export function deriveKey(secret: string, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', purpose, keyBytes))
}
