// GET /presentations/{id}/download: a link to the finished file, as a redirect for browsers or as
// JSON for programs.

import Type from 'typebox'
import { downloadSchema, exportFormatSchema } from '../../contract/presentation.ts'
import { downloadExample } from '../../contract/presentation-examples.ts'
import type { App } from '../../http/base.ts'
import { emptyResponse, idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import { sendDownload } from '../../http/send-download.ts'
import { createFindDownload, type FindDownload } from '../find-download.ts'

export function downloadPresentationRoute(app: App, services: FindDownload) {
  const findDownload = createFindDownload(services)
  const schema = {
    operationId: 'downloadPresentation',
    tags: ['presentations'],
    summary: 'Download the finished file',
    description:
      'Redirects to a presigned link. With `Accept: application/json` it returns the link.',
    params: idParams,
    querystring: Type.Object({
      format: Type.Optional(exportFormatSchema),
    }),
    response: {
      200: jsonResponse(downloadSchema, {
        description: 'The presigned link.',
        example: downloadExample,
        headers: ['Vary'],
      }),
      302: emptyResponse('To the presigned link.', ['Location', 'Vary']),
      ...problemResponses('NOT_FOUND', 'NOT_READY'),
    },
  }

  // No HEAD: a presigned link is signed for GET, so the store would refuse the redirected HEAD.
  app.get(
    '/presentations/:id/download',
    { schema, exposeHeadRoute: false },
    async (request, reply) => {
      const own = { userId: request.caller.userId, id: request.params.id }
      const download = await findDownload(own, request.query.format)
      return sendDownload(request, reply, download)
    },
  )
}
