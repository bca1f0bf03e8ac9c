// GET /sources/{id}/download: a link to the file, as a redirect for browsers or as JSON for
// programs.

import { downloadSchema } from '../../contract/presentation.ts'
import { sourceExample } from '../../contract/source.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { emptyResponse, idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import { sendDownload } from '../../http/send-download.ts'
import type { SourceRow } from '../statements.ts'

export interface DownloadSource {
  findSource: (own: { userId: string; id: string }) => Promise<SourceRow | undefined>
  presign: (file: {
    key: string
    fileName: string
    contentType: string
  }) => Promise<{ url: string; expiresAt: Date }>
}

export function downloadSourceRoute(app: App, { findSource, presign }: DownloadSource) {
  const schema = {
    operationId: 'downloadSource',
    tags: ['sources'],
    summary: 'Download the file of a source',
    description:
      'Redirects to a presigned link. With `Accept: application/json` it returns the link.',
    params: idParams,
    response: {
      200: jsonResponse(downloadSchema, {
        description: 'The presigned link.',
        example: {
          url: 'https://files.example/presentations/sources/alice/6f1c9c0a.pdf?X-Amz-Signature=0f…',
          expires_at: '2026-11-27T09:45:00.000Z',
          file_name: sourceExample.name,
          content_type: sourceExample.content_type,
          size_bytes: sourceExample.size_bytes,
          sha256: sourceExample.sha256,
        },
        headers: ['Vary'],
      }),
      302: emptyResponse('To the presigned link.', ['Location', 'Vary']),
      ...problemResponses('NOT_FOUND'),
    },
  }

  // No HEAD: a presigned link is signed for GET, so the store would refuse the redirected HEAD.
  const options = { schema, exposeHeadRoute: false }
  app.get('/sources/:id/download', options, async (request, reply) => {
    const row = await findSource({ userId: request.caller.userId, id: request.params.id })
    if (!row) throw new Problem('NOT_FOUND')
    const { objectKey: key, name: fileName, contentType } = row
    const { url, expiresAt } = await presign({ key, fileName, contentType })
    return sendDownload(request, reply, {
      url,
      expires_at: expiresAt.toISOString(),
      file_name: fileName,
      content_type: contentType,
      size_bytes: row.sizeBytes,
      sha256: row.sha256,
    })
  })
}
