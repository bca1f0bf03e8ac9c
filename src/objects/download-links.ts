// Signs links to objects, which a browser can open without our credentials.

import type { createClient } from './calls.ts'
import { contentDisposition } from './file-name.ts'

export interface LinkOptions {
  key: string
  fileName: string
  contentType: string
  expiresInSeconds: number
}

/** `signer` has the origin under which browsers reach the store. */
export function createSignLink(signer: ReturnType<typeof createClient>, bucket: string) {
  /** Needs no request to the store. `expiresAt` has no milliseconds, like signatures. */
  return async function presign({
    key,
    fileName,
    contentType,
    expiresInSeconds,
  }: LinkOptions): Promise<{ url: string; expiresAt: Date }> {
    const signedAt = new Date(Math.floor(Date.now() / 1000) * 1000)
    const responseHeaders = {
      'response-content-disposition': contentDisposition(fileName),
      'response-content-type': contentType,
    }
    const url = await signer.presignedGetObject(
      bucket,
      key,
      expiresInSeconds,
      responseHeaders,
      signedAt,
    )
    return { url, expiresAt: new Date(signedAt.getTime() + expiresInSeconds * 1000) }
  }
}
