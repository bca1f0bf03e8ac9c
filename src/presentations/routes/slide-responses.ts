// What the routes of slides have in common: parameters, responses, and how a deck is sent.

import type { FastifyReply, FastifyRequest } from 'fastify'
import Type from 'typebox'
import type { ProblemCode } from '../../contract/problem.ts'
import { type SlidesResponse, slidesExample, slidesSchema } from '../../contract/slides.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { etagOf, readIfMatch } from '../../http/preconditions.ts'
import { idParams, jsonResponse } from '../../http/schemas.ts'
import { slideView } from '../../presenton/slide-view.ts'
import type { DeckAtRevision } from '../slides/read-slides.ts'

/** An index that is no number returns 404, like one that is no slide. */
export const slideParams = Type.Object({
  ...idParams.properties,
  index: Type.String({ pattern: '^[0-9]{1,9}$', description: 'From 0.' }),
})

const upstreamCodes = [
  ...['UPSTREAM_REJECTED', 'UPSTREAM_ERROR', 'UPSTREAM_UNAVAILABLE', 'UPSTREAM_TIMEOUT'],
] as ProblemCode[]

export const readingCodes: ProblemCode[] = ['NOT_FOUND', 'NOT_READY', ...upstreamCodes]
export const changingCodes: ProblemCode[] = [
  ...(['NOT_FOUND', 'CONFLICT', 'REVISION_CONFLICT'] as const),
  ...upstreamCodes,
]

/** For OpenAPI. */
export const deckResponse = (description: string, optionalHeaders: 'Idempotency-Replayed'[] = []) =>
  jsonResponse(slidesSchema, {
    description,
    example: slidesExample,
    headers: ['ETag'],
    optionalHeaders,
  })

interface OwnedRequest extends FastifyRequest {
  params: { id: string }
}

/** Who asks, what the change is based on, and when the caller leaves. */
export function readChangeRequest(request: FastifyRequest, reply: FastifyReply) {
  const { caller, params } = request as OwnedRequest
  return {
    own: { userId: caller.userId, id: params.id },
    ifMatch: readIfMatch(request),
    signal: disconnectSignal(reply),
  }
}

/** The body of a response, whose entity tag is set here. */
export function sendDeck(
  reply: FastifyReply,
  { revision, slides }: DeckAtRevision,
): SlidesResponse {
  reply.header('etag', etagOf(revision))
  return { revision, slides: slides.map(slideView) }
}
