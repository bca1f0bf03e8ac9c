// Where a finished file lies in the bucket. No key is ever written twice, so a key tells which
// upload of which presentation it was.

import { createHash } from 'node:crypto'

export interface KeyParts {
  /** The token's `sub`: any text at all. */
  userId: string
  presentationId: string
  /** Counts the uploads of this presentation, from 1. */
  n: number
  format: 'pptx' | 'pdf'
}

export function objectKey({ userId, presentationId, n, format }: KeyParts): string {
  return `presentations/${folderOf(userId)}/${presentationId}${n > 1 ? `-${n}` : ''}.${format}`
}

/**
 * One path segment for every user, readable where it can be: stores take 1024 bytes a key, and
 * clients resolve `.` and `..`.
 */
function folderOf(userId: string): string {
  if (userId === '.') return '%2E'
  if (userId === '..') return '%2E%2E'
  const encoded = percentEncoded(userId)
  return encoded !== undefined && encoded.length <= 200
    ? encoded
    : `sha256-${createHash('sha256').update(userId).digest('hex')}`
}

/** Undefined for half a surrogate pair, which has no UTF-8. */
function percentEncoded(text: string): string | undefined {
  try {
    return encodeURIComponent(text)
  } catch {
    return undefined
  }
}
