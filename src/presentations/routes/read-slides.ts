// GET /presentations/{id}/slides: the slides of a finished deck, as upstream has them now.

import { slidesExample, slidesSchema } from '../../contract/slides.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { etagOf } from '../../http/preconditions.ts'
import { idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { ReadSlides } from '../slides/read-slides.ts'
import { slideView } from '../slides/view.ts'

export function readSlidesRoute(app: App, { readSlides }: { readSlides: ReadSlides }) {
  const schema = {
    operationId: 'readSlides',
    tags: ['presentations'],
    summary: 'Read the slides',
    params: idParams,
    response: {
      200: jsonResponse(slidesSchema, {
        description: 'The slides of the finished deck.',
        example: slidesExample,
        headers: ['ETag'],
      }),
      ...problemResponses(
        'NOT_FOUND',
        'NOT_READY',
        'UPSTREAM_REJECTED',
        'UPSTREAM_ERROR',
        'UPSTREAM_UNAVAILABLE',
        'UPSTREAM_TIMEOUT',
      ),
    },
  }

  app.get('/presentations/:id/slides', { schema }, async (request, reply) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    const { revision, slides } = await readSlides(own, disconnectSignal(reply))
    reply.header('etag', etagOf(revision))
    return { revision, slides: slides.map(slideView) }
  })
}
