// The routes of the API that open the maker, and that renew or end a user's sessions there.

import { makerLinkSchema, makerRenewalSchema, makerRequestSchema } from '../../contract/maker.ts'
import { ticketSeconds } from '../../domain/ticket-purposes.ts'
import type { App } from '../../http/base.ts'
import { defaultToEmptyBody } from '../../http/body/json-bodies.ts'
import {
  emptyResponse,
  idParams,
  jsonResponse,
  problemResponsesOfWrite,
} from '../../http/schemas.ts'
import type { MakerLinks } from '../links.ts'

export interface MakerApi {
  links: MakerLinks
  renewSessions: (user: {
    userId: string
    expiresAt: Date
  }) => Promise<{ expiresAt: Date; sessions: number }>
  endSessions: (userId: string) => Promise<void>
}

const linkResponse = jsonResponse(makerLinkSchema, {
  description: 'A link that opens the slide maker once.',
  example: {
    url: 'https://maker.example.com/_enter?ticket=q7Yb0yXv1mW2cQ0rT5uJ8w',
    expires_in: 60,
  },
})

/** For a scope that requires a caller. */
export function makerApiRoutes(app: App, { links, renewSessions, endSessions }: MakerApi) {
  const toPresentation = {
    operationId: 'openInMaker',
    tags: ['maker'],
    summary: 'Get a link that opens the presentation in the slide maker',
    description: 'For a new tab: it works once, and signs the user in there.',
    params: idParams,
    response: {
      200: linkResponse,
      ...problemResponsesOfWrite('NOT_FOUND', 'NOT_READY', 'NOT_SUPPORTED'),
    },
  }
  app.post('/presentations/:id/maker', { schema: toPresentation }, async (request) => ({
    url: await links.toPresentation(request.caller, request.params.id),
    expires_in: ticketSeconds,
  }))

  const toPage = {
    operationId: 'openMaker',
    tags: ['maker'],
    summary: 'Get a link that opens the slide maker',
    body: makerRequestSchema,
    response: { 200: linkResponse, ...problemResponsesOfWrite('NOT_SUPPORTED') },
  }
  app.post('/maker', { schema: toPage, preValidation: defaultToEmptyBody }, async (request) => ({
    url: await links.toPage(request.caller, request.body.return_to),
    expires_in: ticketSeconds,
  }))

  const renew = {
    operationId: 'renewMakerSessions',
    tags: ['maker'],
    summary: 'Let your sessions in the slide maker end with your present token',
    response: {
      200: jsonResponse(makerRenewalSchema, {
        description: 'When they end, and how many there are.',
        example: { expires_at: '2026-11-20T11:00:00.000Z', sessions: 1 },
      }),
      ...problemResponsesOfWrite(),
    },
  }
  app.post('/maker/renew', { schema: renew }, async ({ caller }) => {
    const { userId, expiresAt } = caller
    const renewed = await renewSessions({ userId, expiresAt })
    return { expires_at: renewed.expiresAt.toISOString(), sessions: renewed.sessions }
  })

  const end = {
    operationId: 'endMakerSessions',
    tags: ['maker'],
    summary: 'End your sessions in the slide maker',
    response: { 204: emptyResponse('They have ended.'), ...problemResponsesOfWrite() },
  }
  app.delete('/maker', { schema: end }, async ({ caller }, reply) => {
    await endSessions(caller.userId)
    return reply.code(204).send()
  })
}
