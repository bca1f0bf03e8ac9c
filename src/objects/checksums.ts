// Checksums of what is uploaded, for stores that demand them, as those with object lock do. They
// are sent only once a store has demanded them: others refuse the headers.

import { createHash } from 'node:crypto'
import { Problem } from '../domain/problem.ts'
import { StoreError } from './store-error.ts'

export type ChecksumKind = 'none' | 'md5' | 'sha256'

export interface Checksum {
  /** May be added to a presigned request. */
  contentMd5?: string
  /** Stores accept headers with `x-amz-` only if the signature covers them. */
  signedHeaders?: Record<string, string>
}

export type Checksums = ReturnType<typeof createChecksums>

/** One for each store: what it has demanded is remembered. */
export function createChecksums() {
  let demanded: ChecksumKind = 'none'
  return {
    /** With any but `none`, a body has to be in memory before its request begins. */
    kind: () => demanded,

    /**
     * Whether a PUT with a checksum of this kind was refused for the lack of another one, so that
     * it is worth repeating.
     */
    learn(error: unknown, used: ChecksumKind): boolean {
      const refusal = error instanceof Problem ? error.cause : error
      if (!(refusal instanceof StoreError)) return false
      const text = `${refusal.code}: ${refusal.text}`
      if (!isDemand(text)) return false
      // Another upload has learned it in the meantime.
      if (used !== demanded) return true
      if (used === 'sha256') return false
      const acceptsMd5 = /md5/i.test(text) || !/checksum|sha-?256/i.test(text)
      demanded = used === 'none' && acceptsMd5 ? 'md5' : 'sha256'
      return true
    },
  }
}

export function checksumOf(bytes: Buffer, kind: ChecksumKind): Checksum {
  if (kind === 'none') return {}
  if (kind === 'md5') return { contentMd5: createHash('md5').update(bytes).digest('base64') }
  const sha256 = createHash('sha256').update(bytes).digest('base64')
  return { signedHeaders: { 'x-amz-checksum-sha256': sha256 } }
}

/** Stores word it differently; S3 itself has only the code InvalidRequest for it. */
function isDemand(text: string): boolean {
  const name = '(?:content-?md5|checksum|digest)'
  const need = '(?:required|missing|must|needs?)'
  return new RegExp(`${name}.{0,80}${need}|${need}.{0,80}${name}`, 'i').test(text)
}
