// Rows of the table that get their response here, as routes.

import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from '../http/base.ts'
import { disconnectSignal } from '../http/disconnect.ts'
import type { UpstreamAccount } from '../presenton/account.ts'
import type { Exchange, Handler, Handlers } from './exchange.ts'
import type { FindOwnDeck } from './own-decks.ts'
import { resolveDecks } from './resolve-decks.ts'
import type { MakerSession } from './statements/sessions.ts'
import type { Row } from './table/row.ts'

export interface Access {
  findOwnDeck: FindOwnDeck
  accountOf: (userId: string) => UpstreamAccount
}

export interface RouteAccess extends Access {
  findSession: (request: FastifyRequest) => Promise<MakerSession | undefined>
  handlers: Handlers
}

/** @throws Problem AUTHENTICATION_FAILED */
export function sessionOf({ makerSession }: FastifyRequest): MakerSession {
  if (!makerSession) throw new Problem('AUTHENTICATION_FAILED')
  return makerSession
}

export function addRoute(scope: App, row: Row, handler: Handler, access: RouteAccess) {
  const { method, path: url, knownHandler = '' } = row
  const known = access.handlers[knownHandler]
  scope.route({
    method,
    url,
    config: { row },
    ...(row.isUncompressed && { compress: false }),
    async handler(request, reply) {
      if (request.isRemembered) {
        const response = await known?.(exchangeOf(row, request, reply, access))
        if (response !== undefined) return response
        request.makerSession = await access.findSession(request)
      }
      return handler(await openExchange(row, request, reply, access))
    },
  })
}

/** Without its deck. */
function exchangeOf(
  row: Row,
  request: FastifyRequest,
  reply: FastifyReply,
  { accountOf }: Access,
): Exchange {
  const session = sessionOf(request)
  checkTexts(request.query)
  return {
    session,
    owner: session.userId,
    account: accountOf(session.userId),
    deck: undefined,
    params: request.params as Record<string, string>,
    query: request.query,
    body: row.body === 'json' ? request.body : undefined,
    signal: disconnectSignal(reply),
    request,
    reply,
  }
}

/** @throws Problem AUTHENTICATION_FAILED, VALIDATION_FAILED, NOT_FOUND */
export async function openExchange(
  row: Row,
  request: FastifyRequest,
  reply: FastifyReply,
  access: Access,
): Promise<Exchange> {
  const exchange = exchangeOf(row, request, reply, access)
  const find = (deckId: string) => access.findOwnDeck(exchange.owner, deckId)
  return { ...exchange, deck: await resolveDecks(row, request, find) }
}

/** A parameter that is given twice means one thing here and another thing upstream. */
export function checkTexts(query: unknown): asserts query is Record<string, string> {
  for (const [path, value] of Object.entries(query as Record<string, unknown>)) {
    if (typeof value !== 'string')
      throw new Problem('VALIDATION_FAILED', { errors: [{ path, message: 'must be given once' }] })
  }
}
