// Names of objects in the bucket. No key is written twice, so a key identifies one upload.

import { createHash } from 'node:crypto'
import type { ExportFormat } from '../contract/presentation.ts'

/** What an object is for: the first folder of its key. */
export type ObjectPurpose = 'presentations' | 'sources'

export interface PresentationKeyParts {
  /** The token's `sub`: any text. */
  userId: string
  presentationId: string
  /** Counts the uploads of this presentation, from 1. */
  uploadNumber: number
  format: ExportFormat
}

export function presentationKey(parts: PresentationKeyParts): string {
  const { userId, presentationId, uploadNumber, format } = parts
  const suffix = uploadNumber > 1 ? `-${uploadNumber}` : ''
  return `${userFolder('presentations', userId)}${presentationId}${suffix}.${format}`
}

/** `extension` has no dot. */
export function sourceKey({
  userId,
  id,
  extension,
}: {
  userId: string
  id: string
  extension: string | undefined
}): string {
  return `${userFolder('sources', userId)}${id}${extension === undefined ? '' : `.${extension}`}`
}

/** The prefix of all keys of one user and purpose, with its final slash. */
export function userFolder(purpose: ObjectPurpose, userId: string): string {
  return `${purpose}/${segmentOf(userId)}/`
}

/**
 * One path segment for each user, readable where possible. Longer ids are hashed, since stores
 * limit a key to 1024 bytes. `.` and `..` are escaped, since clients resolve them.
 */
function segmentOf(userId: string): string {
  if (userId === '.') return '%2E'
  if (userId === '..') return '%2E%2E'
  const encoded = percentEncoded(userId)
  return encoded !== undefined && encoded.length <= 200
    ? encoded
    : `sha256-${createHash('sha256').update(userId).digest('hex')}`
}

/** Undefined when the text holds half a surrogate pair, which has no UTF-8. */
function percentEncoded(text: string): string | undefined {
  try {
    return encodeURIComponent(text)
  } catch {
    return undefined
  }
}
