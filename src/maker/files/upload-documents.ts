// POST /files/upload: documents become sources of the user, with the checks, limits and quotas of
// POST /sources. Upstream gets them when something is made from them.

import { readParts } from '../../http/body/multipart.ts'
import type { Uploads } from '../../sources/upload.ts'
import type { Exchange } from '../exchange.ts'
import { handleOf } from './handles.ts'

export interface UploadDocuments extends Pick<Uploads, 'upload'> {
  maxRequestBytes: number
}

/** A whole request, as for POST /sources. */
const timeoutMs = 3_600_000

export function createUploadDocuments({ upload, maxRequestBytes }: UploadDocuments) {
  /** @throws Problem of an upload of sources */
  return async function uploadFiles({ owner, request, signal }: Exchange) {
    const { socket } = request.raw
    const { slowRequests } = request.server
    slowRequests.add(socket)
    try {
      const { body } = await upload({
        userId: owner,
        parts: readParts(request.raw, { maxBytes: maxRequestBytes, timeoutMs }),
        signal,
        respond: (rows) => ({ status: 200, location: '', body: rows.map(handleOf) }),
      })
      return body
    } finally {
      slowRequests.delete(socket)
    }
  }
}
