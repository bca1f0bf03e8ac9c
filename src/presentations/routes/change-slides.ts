// Changes of the slides of a finished deck: one slide's members, a slide more or less, their order.
// Each responds with the deck after it.

import Type from 'typebox'
import {
  addedSlideSchema,
  slideChangeSchema,
  slideOrderSchema,
} from '../../contract/slide-changes.ts'
import type { App } from '../../http/base.ts'
import { idempotencyHeaders, readIdempotency } from '../../http/idempotency.ts'
import { ifMatchHeaders } from '../../http/preconditions.ts'
import { idParams, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { SlideCommands } from '../slides/commands.ts'
import {
  changingCodes,
  deckResponse,
  readChangeRequest,
  sendDeck,
  slideParams,
} from './slide-responses.ts'

export interface ChangeSlides {
  slides: Pick<SlideCommands, 'update' | 'add' | 'remove' | 'reorder'>
  /** The address of a presentation. */
  urlOf: (id: string) => string
}

const common = { tags: ['presentations'], openapi: { headers: ifMatchHeaders } }

export function changeSlidesRoutes(app: App, { slides, urlOf }: ChangeSlides) {
  const updateSchema = {
    ...common,
    operationId: 'updateSlide',
    summary: 'Replace members of a slide',
    params: slideParams,
    body: slideChangeSchema,
    response: {
      200: deckResponse('The deck after the change.'),
      ...problemResponsesOfWrite('NOT_SUPPORTED', ...changingCodes),
    },
  }
  app.patch(
    '/presentations/:id/slides/:index',
    { schema: updateSchema },
    async (request, reply) => {
      const index = Number(request.params.index)
      const change = request.body
      return sendDeck(
        reply,
        await slides.update({ ...readChangeRequest(request, reply), index, change }),
      )
    },
  )

  const addSchema = {
    ...common,
    openapi: { headers: Type.Interface([ifMatchHeaders, idempotencyHeaders], {}) },
    operationId: 'addSlide',
    summary: 'Add a copy of a slide, or a blank slide',
    params: idParams,
    body: addedSlideSchema,
    response: {
      201: deckResponse('The deck with the new slide.', ['Idempotency-Replayed']),
      ...problemResponsesOfWrite(
        'NOT_SUPPORTED',
        'QUOTA_EXHAUSTED',
        'IDEMPOTENCY_KEY_REUSED',
        ...changingCodes,
      ),
    },
  }
  app.post('/presentations/:id/slides', { schema: addSchema }, async (request, reply) => {
    const { replayed, ...deck } = await slides.add({
      ...readChangeRequest(request, reply),
      added: request.body,
      idempotency: readIdempotency(request),
      location: `${urlOf(request.params.id)}/slides`,
    })
    if (replayed) reply.header('idempotency-replayed', 'true')
    return reply.code(201).send(sendDeck(reply, deck))
  })

  const removeSchema = {
    ...common,
    operationId: 'removeSlide',
    summary: 'Remove a slide',
    params: slideParams,
    response: {
      200: deckResponse('The deck without the slide.'),
      ...problemResponsesOfWrite(...changingCodes),
    },
  }
  app.delete(
    '/presentations/:id/slides/:index',
    { schema: removeSchema },
    async (request, reply) => {
      const index = Number(request.params.index)
      return sendDeck(reply, await slides.remove({ ...readChangeRequest(request, reply), index }))
    },
  )

  const reorderSchema = {
    ...common,
    operationId: 'reorderSlides',
    summary: 'Reorder the slides',
    params: idParams,
    body: slideOrderSchema,
    response: {
      200: deckResponse('The deck in its new order.'),
      ...problemResponsesOfWrite(...changingCodes),
    },
  }
  app.put('/presentations/:id/slides/order', { schema: reorderSchema }, async (request, reply) => {
    const { order } = request.body
    return sendDeck(reply, await slides.reorder({ ...readChangeRequest(request, reply), order }))
  })
}
