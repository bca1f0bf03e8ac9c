// The slide maker: its services, and the server of its own origin.

import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import { type MakerConfig, makerUrlOf } from '../config/maker.ts'
import { type App, type BaseOptions, createBase } from '../http/base.ts'
import { limitConnections } from '../http/connection-limit.ts'
import { drainOnClose } from '../http/drain-on-close.ts'
import { allowSlowResponses } from '../http/slow-responses.ts'
import { createMakerErrors } from '../maker/errors.ts'
import type { Handlers } from '../maker/exchange.ts'
import { readTimeoutMs } from '../maker/files/read-documents.ts'
import { makerHeaders } from '../maker/headers.ts'
import { createMakerLinks } from '../maker/links.ts'
import { findOwnDeck } from '../maker/own-decks.ts'
import type { PassThrough } from '../maker/pass-through.ts'
import type { MakerApi } from '../maker/routes/maker-links.ts'
import { type MakerServices, makerRoutes } from '../maker/routes.ts'
import { createSignIn } from '../maker/sign-in.ts'
import {
  endSession,
  endSessions,
  findSession,
  openSession,
  renewSessions,
} from '../maker/statements/sessions.ts'
import { findPresentation } from '../presentations/statements/queries.ts'
import { accountOfUser } from '../presenton/account.ts'
import { findTicketUser, issueTicket, redeemTicket } from '../tickets/statements.ts'
import type { Adapters } from './adapters.ts'
import { idleTimeoutMs } from './base-options.ts'

export type MakerUrl = ReturnType<typeof createMakerUrl>

/** How browsers reach the maker. With MAKER_PORT=0 the port is known only once it listens. */
export function createMakerUrl(maker: MakerConfig) {
  let boundPort = maker.port
  return {
    /** Without a slash at the end. */
    read: () => makerUrlOf(maker, boundPort),
    setPort(port: number): void {
      boundPort = port
    },
  }
}

export interface MakerOptions {
  adapters: Pick<Adapters, 'database' | 'channels' | 'presenton'>
  /** Undefined: there is no maker. */
  makerUrl: MakerUrl | undefined
}

/** What the API needs of the maker, and what its listener needs. */
export function createMaker({
  adapters: { database, channels, presenton },
  makerUrl,
}: MakerOptions): {
  api: MakerApi
  services: MakerServices
  /** Null while there is none for the connected version. */
  readUrl: () => string | null
} {
  const reportEnded = (id: string) => channels.publish('maker_sessions', { id })
  const isSupported = () => presenton.knownCapabilities()?.maker
  return {
    readUrl: () => (makerUrl && isSupported() !== false ? makerUrl.read() : null),
    api: {
      links: createMakerLinks({
        makerUrl: makerUrl?.read,
        isSupported,
        findPresentation: async (own) => {
          const row = await findPresentation(database, own)
          return row && { deckId: row.deckId, hasMaker: row.account !== null }
        },
        issueTicket: (request) => issueTicket(database, request),
      }),
      renewSessions: (user) => renewSessions(database, user),
      async endSessions(userId) {
        await endSessions(database, userId)
        reportEnded(userId)
      },
    },
    services: {
      isSupported,
      findSession: (id) => findSession(database, id),
      async openSession(session) {
        const { id, replacedUserId } = await openSession(database, session)
        if (replacedUserId !== undefined) reportEnded(replacedUserId)
        return id
      },
      async endSession({ hash, userId }) {
        await endSession(database, hash)
        reportEnded(userId)
      },
      findTicketUser: (ticket) => findTicketUser(database, ticket),
      redeemTicket: (ticket) =>
        redeemTicket(database, { ticket, purpose: 'maker', presentationId: null }),
      findPresentation: (own) => findPresentation(database, own),
      findOwnDeck: (userId, deckId) => findOwnDeck(database, userId, deckId),
      accountOf: accountOfUser,
    },
  }
}

export interface MakerServerOptions {
  config: Config
  maker: MakerConfig
  logger: FastifyBaseLogger
  services: MakerServices
  presenton: PassThrough['presenton']
  /** By the names of the table, beside those that the maker answers itself. */
  handlers: Handlers
  makerUrl: MakerUrl
  closing: AbortSignal
  onRequestCompleted: BaseOptions['onRequestCompleted']
  tracer: BaseOptions['tracer']
  reportError: BaseOptions['reportError']
}

/** For what surrounds the longest call: waiting for a login, uploads to Presenton, the store. */
const marginMs = 150_000

/** The longest that a handler may wait by its own deadlines. */
export function longestWaitMs({ presenton }: Pick<Config, 'presenton'>): number {
  const { createTimeoutMs, prepareTimeoutMs, exportTimeoutMs } = presenton
  return Math.max(createTimeoutMs, prepareTimeoutMs, exportTimeoutMs, readTimeoutMs) + marginMs
}

/** Does not listen yet. */
export async function createMakerServer({
  config,
  presenton,
  maker,
  logger,
  services,
  handlers,
  makerUrl,
  closing,
  ...reports
}: MakerServerOptions): Promise<App> {
  const { trustProxy, limits, shutdownGraceMs, events, presenton: presentonConfig } = config
  const signIn = createSignIn({ signInUrl: maker.signInUrl, makerUrl: makerUrl.read })
  const app = createBase({
    logger,
    trustProxy,
    headers: makerHeaders({
      ...maker,
      isHttps: makerUrl.read().startsWith('https:'),
      imageHosts: config.slideImageHosts,
    }),
    idleTimeoutMs: idleTimeoutMs(events),
    sendError: createMakerErrors({ signIn }),
    // The table names GET alone.
    takesHead: false,
    ...reports,
  })
  allowSlowResponses(app, longestWaitMs(config))
  limitConnections(app, limits)
  drainOnClose(app, { closing, graceMs: shutdownGraceMs })
  await makerRoutes(app, {
    upstreamUrl: presentonConfig.url,
    presenton,
    signIn,
    services,
    handlers,
    makerUrl: makerUrl.read,
    ratePerMinute: maker.ratePerMinute,
    mayBeFramed: maker.frameAncestors.length > 0,
  })
  return app
}
