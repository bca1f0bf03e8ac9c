// GET /open/{id}: the lasting link to a presentation in the maker, for messages and notifications.

import type { FastifyRequest } from 'fastify'
import type { Status } from '../../contract/presentation.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { parseDeckId } from '../deck-ids.ts'
import type { MakerSession } from '../statements/sessions.ts'

export interface OpenPresentation {
  sessionOf: (request: FastifyRequest) => MakerSession
  findPresentation: (own: {
    userId: string
    id: string
  }) => Promise<{ deckId: string | null; account: string | null; status: Status } | undefined>
}

export function openPresentationRoute(app: App, { sessionOf, findPresentation }: OpenPresentation) {
  app.get('/open/:id', async (request, reply) => {
    const { userId } = sessionOf(request)
    const id = parseDeckId((request.params as { id: string }).id)
    const found = id === undefined ? undefined : await findPresentation({ userId, id })
    if (!found) throw new Problem('NOT_FOUND')
    if (found.deckId === null) throw new Problem('NOT_READY')
    // Its deck belongs to the shared account.
    if (found.account === null) throw new Problem('NOT_SUPPORTED')
    return reply.redirect(`/presentation?id=${encodeURIComponent(found.deckId)}`, 303)
  })
}
