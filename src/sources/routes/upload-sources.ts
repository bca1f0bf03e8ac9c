// POST /sources: uploads files. The body is read part by part while the files are stored, so the
// route has a scope of its own, without the parser of JSON.

import {
  type Source,
  sourceExample,
  uploadBodySchema,
  uploadedSourcesSchema,
} from '../../contract/source.ts'
import type { App } from '../../http/base.ts'
import { readParts } from '../../http/body/multipart.ts'
import { multipartBodies } from '../../http/body/multipart-bodies.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import {
  acceptedHeaders,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import { jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { SourceRow } from '../statements.ts'
import type { Uploads } from '../upload.ts'

export interface UploadSources extends Pick<Uploads, 'upload'> {
  view: (row: SourceRow) => Source
  maxRequestBytes: number
}

/** A whole request. Its objects are removed after two hours unless it has ended. */
const timeoutMs = 3_600_000

export function uploadSourcesRoute(app: App, { upload, view, maxRequestBytes }: UploadSources) {
  const schema = {
    operationId: 'uploadSources',
    tags: ['sources'],
    summary: 'Upload documents to make presentations from',
    description:
      'One to ten files. Their content decides their type. If one is refused, none is kept.',
    openapi: {
      headers: idempotencyHeaders,
      body: uploadBodySchema,
      consumes: ['multipart/form-data'],
    },
    response: {
      201: jsonResponse(uploadedSourcesSchema, {
        description: 'The new sources.',
        example: { items: [sourceExample] },
        ...acceptedHeaders,
      }),
      ...problemResponsesOfWrite(
        'CONFLICT',
        'IDEMPOTENCY_KEY_REUSED',
        'QUOTA_EXHAUSTED',
        'SOURCE_REJECTED',
        'SCANNER_UNAVAILABLE',
        'STORAGE_UNAVAILABLE',
      ),
    },
  }

  multipartBodies(app)
  app.post('/sources', { schema }, async (request, reply) => {
    const idempotency = readIdempotency(request)
    const { socket } = request.raw
    app.slowRequests.add(socket)
    try {
      const response = await upload({
        userId: request.caller.userId,
        parts: readParts(request.raw, { maxBytes: maxRequestBytes, timeoutMs }),
        idempotency,
        signal: disconnectSignal(reply),
        respond: (rows) => {
          const items = rows.map(view)
          return { status: 201, location: items[0]?.links.self ?? '', body: { items } }
        },
      })
      return sendStoredResponse(reply, response)
    } finally {
      app.slowRequests.delete(socket)
    }
  })
}
