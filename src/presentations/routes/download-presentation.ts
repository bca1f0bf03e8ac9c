// GET /presentations/{id}/download: the way to the finished file, as a redirect for browsers or as
// data for programs.

import Type from 'typebox'
import { downloadSchema, exportFormatSchema } from '../../contract/presentation.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { emptyResponse, idParams, problemResponses } from '../../http/schemas.ts'
import type { PresentationRow } from '../statements/queries.ts'
import { downloadView, type Presign } from '../view.ts'

export interface DownloadPresentation {
  findPresentation: (wanted: { userId: string; id: string }) => Promise<PresentationRow | undefined>
  presign: Presign
}

export function downloadPresentationRoute(
  app: App,
  { findPresentation, presign }: DownloadPresentation,
) {
  const schema = {
    operationId: 'downloadPresentation',
    tags: ['presentations'],
    summary: 'Download the finished file',
    description:
      'Redirects to a presigned link; with `Accept: application/json` the link is the answer.',
    params: idParams,
    querystring: Type.Object({
      format: Type.Optional(exportFormatSchema),
    }),
    response: {
      200: downloadSchema,
      302: emptyResponse('To the presigned link.'),
      ...problemResponses('NOT_FOUND', 'NOT_READY', 'STORAGE_UNAVAILABLE'),
    },
  }

  // No HEAD: a presigned link is for one method, so the redirect would end in a refusal.
  app.get(
    '/presentations/:id/download',
    { schema, exposeHeadRoute: false },
    async (request, reply) => {
      const row = await findPresentation({ userId: request.caller.userId, id: request.params.id })
      if (!row) throw new Problem('NOT_FOUND')
      const { format } = request.query
      const file =
        row.files.find((one) => one.format === (format ?? row.exportAs)) ??
        (format === undefined ? row.files[0] : undefined)
      if (!file) throw new Problem('NOT_READY')
      const download = await downloadView({ title: row.title, file }, presign)
      // Across origins the answer varies already.
      reply
        .header('cache-control', 'no-store')
        .header('vary', [reply.getHeader('vary'), 'Accept'].filter(Boolean).join(', '))
      if (!asksForJson(request.headers.accept))
        return reply.code(302).header('location', download.url).send()
      return reply.code(200).send(download)
    },
  )
}

/** Only by name: a wildcard is what a browser sends that follows a link. */
function asksForJson(accept = ''): boolean {
  return /(^|,)\s*application\/json\s*(;(?!\s*q=0(\.0*)?\s*(,|$))|,|$)/i.test(accept)
}
