// The listener of the maker: its own pages, and the rows of the table as routes. Every check that
// comes before a handler is here: session, rate, origin, ids.

import compress from '@fastify/compress'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from '../http/base.ts'
import { jsonBodies, rejectOtherBodies } from '../http/body/json-bodies.ts'
import { multipartBodies } from '../http/body/multipart-bodies.ts'
import { pathOf } from '../http/problems.ts'
import { createRateLimit } from '../http/rate-limit.ts'
import type { UpstreamAccount } from '../presenton/account.ts'
import { readSessionId, sessionCookie } from './cookies.ts'
import type { Handler, Handlers } from './exchange.ts'
import { createLocalResponses } from './local-responses.ts'
import type { FindOwnDeck } from './own-decks.ts'
import { type PassThrough, passThroughRoutes } from './pass-through.ts'
import { cleanQuery } from './query.ts'
import { checkSameOrigin } from './requests.ts'
import { resolveDecks } from './resolve-decks.ts'
import { type Enter, enterRoutes } from './routes/enter.ts'
import { noticeScriptRoutes, sessionStateRoute } from './routes/notice.ts'
import { type OpenPresentation, openPresentationRoute } from './routes/open-presentation.ts'
import { createSessionMemory } from './session-memory.ts'
import type { MakerSession } from './statements/sessions.ts'
import type { Row } from './table/row.ts'
import { table } from './table/table.ts'
import { addRoute, checkTexts, openExchange, sessionOf } from './table-routes.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** The session of the maker that the request came with. */
    makerSession: MakerSession | undefined
    /** The session was live when this process last looked, which the handler has to check. */
    isRemembered: boolean
  }
  interface FastifyContextConfig {
    /** The row of the maker's table; absent on the maker's own pages. */
    row?: Row
    /** Needs no session. */
    isPublic?: boolean
  }
}

export interface MakerServices
  extends Pick<Enter, 'findTicketUser' | 'redeemTicket' | 'openSession'>,
    Pick<OpenPresentation, 'findPresentation'> {
  findSession: (id: string) => Promise<MakerSession | undefined>
  endSession: (session: Pick<MakerSession, 'hash' | 'userId'>) => Promise<void>
  findOwnDeck: FindOwnDeck
  accountOf: (userId: string) => UpstreamAccount
  /** False for a version without users, for which there is no maker. Undefined: not known yet. */
  isSupported: () => boolean | undefined
}

export interface MakerRoutesOptions extends Pick<PassThrough, 'upstreamUrl' | 'presenton'> {
  signIn: (given: { url: string }) => string | undefined
  services: MakerServices
  /** By the names of the table. A row without a handler is no route. */
  handlers: Handlers
  makerUrl: () => string
  ratePerMinute: number
  mayBeFramed: boolean
}

const tooOld = 'The connected Presenton has no slide maker. It needs version 0.9.3.'

export async function makerRoutes(app: App, options: MakerRoutesOptions): Promise<void> {
  const { services, makerUrl, ratePerMinute, mayBeFramed } = options
  app.decorateRequest('caller')
  app.decorateRequest('makerSession')
  app.decorateRequest('isRemembered', false)
  app.decorateRequest('ownDeck')
  app.decorateRequest('passed')
  await app.register(compress, {
    encodings: ['br', 'gzip'],
    // An event stream must arrive message by message.
    customTypes: /^(?:text\/(?!event-stream)|application\/(?:json|javascript)|image\/svg\+xml)/,
  })
  const checkRate = await createRateLimit(app, {
    perMinute: ratePerMinute,
    keyOf: ({ makerSession, ip }) =>
      makerSession ? `session ${makerSession.hash}` : `address ${ip}`,
  })

  const memory = createSessionMemory()

  async function findSession(request: FastifyRequest): Promise<MakerSession | undefined> {
    const id = readSessionId(request, makerUrl())
    const session = id === undefined ? undefined : await services.findSession(id)
    if (session) memory.remember(session)
    return session
  }

  function recallSession(request: FastifyRequest): MakerSession | undefined {
    const id = readSessionId(request, makerUrl())
    return id === undefined ? undefined : memory.find(id)
  }

  app.addHook('onRequest', async (request, reply) => {
    if (services.isSupported() === false)
      throw new Problem('UPSTREAM_UNAVAILABLE', { detail: tooOld })
    const { row, isPublic = false } = request.routeOptions.config
    if (row?.class === 'asset') return
    if (request.is404 || isPublic) return checkRate(request, reply)
    const remembered = row?.knownHandler === undefined ? undefined : recallSession(request)
    request.isRemembered = remembered !== undefined
    const session = remembered ?? (await findSession(request))
    if (session) {
      const { userId, expiresAt } = session
      request.makerSession = session
      request.caller = { userId, expiresAt }
    }
    // A page of the editor shows many icons.
    if (!session || request.routeOptions.url !== '/static/*') await checkRate(request, reply)
    if (!session) throw new Problem('AUTHENTICATION_FAILED')
    if (row && isUnsafe(row)) checkSameOrigin(request, makerUrl())
  })

  const logout: Handler = async ({ session, reply }) => {
    await services.endSession(session)
    reply.header('set-cookie', sessionCookie(makerUrl()))
    return { success: true }
  }
  const handlers = { ...createLocalResponses({ logout }), ...options.handlers }
  const access = { ...services, findSession, handlers }

  await app.register(async (scope: App) => {
    scope.addHook('onRoute', (route) => {
      route.config = { ...route.config, isPublic: true }
    })
    noticeScriptRoutes(scope, options.signIn)
    enterRoutes(scope, { ...services, makerUrl, mayBeFramed, findSession })
  })
  await app.register(async (scope: App) => {
    rejectOtherBodies(scope)
    openPresentationRoute(scope, { ...services, sessionOf })
    sessionStateRoute(scope, sessionOf)
  })
  for (const isMultipart of [false, true])
    await app.register(async (scope: App) => {
      if (isMultipart) multipartBodies(scope)
      else jsonBodies(scope, { types: ['application/json', 'text/plain'] })
      for (const row of table) {
        if (isPassed(row) || (row.body === 'multipart') !== isMultipart) continue
        const handler = handlers[row.handler ?? '']
        if (handler) addRoute(scope, row, handler, access)
      }
    })

  /** Ids and addresses in a request that goes upstream as it is. */
  async function before(request: FastifyRequest, reply: FastifyReply) {
    const row = rowOf(request)
    if (row.class === 'asset') return
    const query = cleanQuery(request.url)
    if (query !== undefined) {
      // The interface reads its address itself, so the browser has to forget it.
      return reply.redirect(`${pathOf(request)}${query && `?${query}`}`, 303)
    }
    checkTexts(request.query)
    for (const [name, pattern] of Object.entries(row.query ?? {}))
      if (!pattern.test(request.query[name] ?? '')) throw new Problem('NOT_FOUND')
    const { userId } = sessionOf(request)
    request.ownDeck = await resolveDecks(row, request, (id) => services.findOwnDeck(userId, id))
    if (row.handler === undefined) return
    const handler = handlers[row.handler]
    // What it would check must not pass unchecked.
    if (!handler) throw new Problem('NOT_FOUND')
    const exchange = await openExchange({ ...row, ids: [] }, request, reply, services)
    await handler({ ...exchange, deck: request.ownDeck })
  }
  const passed = table.filter(isPassed)
  for (const rowClass of ['asset', 'page', 'shared', 'own'] as const) {
    const rows = passed.filter((row) => row.class === rowClass)
    const pass = { ...options, accountOf: services.accountOf }
    await passThroughRoutes(app, rows, pass, before)
  }
}

const isPassed = ({ class: rowClass }: Row) => !['local', 'deck', 'paid', 'file'].includes(rowClass)

/** The proxy has one context for all routes of a class. */
function rowOf({ routeOptions: { url } }: FastifyRequest): Row {
  const row = table.find(({ method, path }) => method === 'GET' && path === url)
  if (!row) throw new Problem('NOT_FOUND')
  return row
}

const isUnsafe = ({ method, isUnsafe }: Row) => method !== 'GET' || isUnsafe === true
