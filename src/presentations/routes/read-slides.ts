// GET /presentations/{id}/slides: the slides of a finished deck, as upstream has them now.

import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { idParams, problemResponses } from '../../http/schemas.ts'
import type { ReadSlides } from '../slides/read-slides.ts'
import { deckResponse, readingCodes, sendDeck } from './slide-responses.ts'

export function readSlidesRoute(app: App, { readSlides }: { readSlides: ReadSlides }) {
  const schema = {
    operationId: 'readSlides',
    tags: ['presentations'],
    summary: 'Read the slides',
    params: idParams,
    response: {
      200: deckResponse('The slides of the finished deck.'),
      ...problemResponses(...readingCodes),
    },
  }

  app.get('/presentations/:id/slides', { schema }, async (request, reply) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    return sendDeck(reply, await readSlides(own, disconnectSignal(reply)))
  })
}
