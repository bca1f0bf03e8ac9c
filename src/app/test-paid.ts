// The handlers of what costs money behind a small server, for tests: the user is named by a header, as
// its session is.

import Fastify from 'fastify'
import { createChannels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { createEndRun } from '../database/end-run.ts'
import type { Quotas } from '../database/quota-usage.ts'
import { Problem } from '../domain/problem.ts'
import { findOwnDeck } from '../maker/own-decks.ts'
import { createPaidHandlers } from '../maker/paid/handlers.ts'
import { createAdmission } from '../presentations/accept.ts'
import { createPresentationCommands } from '../presentations/commands.ts'
import { createFinishedCommands } from '../presentations/made-decks/add-finished.ts'
import { createCreateWithDeck } from '../presentations/made-decks/create-with-deck.ts'
import { createStartChatTurn } from '../presentations/slides/chat-turns.ts'
import { createStartRegeneration } from '../presentations/slides/start-regeneration.ts'
import { findPresentation } from '../presentations/statements/queries.ts'
import { createWaitUntilSettled } from '../presentations/wait-until-settled.ts'
import { sharedAccount } from '../presenton/account.ts'
import type { Presenton } from '../presenton/client.ts'

const rows: Record<string, [method: 'GET' | 'POST' | 'PUT', path: string, id?: string]> = {
  create: ['POST', '/create'],
  createBlank: ['POST', '/create/blank'],
  duplicate: ['POST', '/:id/duplicate', 'params.id'],
  streamOutlines: ['GET', '/outlines/stream/:id', 'params.id'],
  readOutlines: ['GET', '/outlines/:id', 'params.id'],
  saveOutlines: ['PUT', '/outlines/:id', 'params.id'],
  prepare: ['POST', '/prepare', 'body.presentation_id'],
  streamSlides: ['GET', '/stream/:id', 'params.id'],
  exportDeck: ['POST', '/export', 'body.id'],
  exportedFile: ['GET', '/api/export-presentation/file'],
  chatStream: ['POST', '/chat/stream', 'body.presentation_id'],
  chatMessage: ['POST', '/chat', 'body.presentation_id'],
  generateImage: ['GET', '/images/generate'],
  presentationPage: ['GET', '/presentation', 'query.id'],
}

const quotas: Quotas = {
  ...{ perHour: 0, perDay: 0, total: 0, totalSlides: 0, systemPerDay: 0, editsPerDay: 0 },
}
const limits = { maxSlides: 20, maxContentChars: 1_000 }

export interface TestPaidOptions {
  database: Database
  presenton: Presenton
  editsPerDay?: number
  /** For exports. */
  timeoutMs?: number
  used?: Quotas
}

export async function openTestPaid({
  database,
  presenton,
  editsPerDay = 0,
  timeoutMs = 20_000,
  used = quotas,
}: TestPaidOptions) {
  const channels = createChannels(undefined)
  const queue = { maxQueued: 100, maxQueuedPerUser: 100 }
  const knownTemplates = () => undefined
  const admission = createAdmission({ database, channels, queue, quotas: used, knownTemplates })
  const handlers = createPaidHandlers({
    ...{
      database,
      channels,
      presenton,
      limits,
      editsPerDay,
      timeoutMs,
      defaultTemplate: 'general',
    },
    commands: {
      ...createPresentationCommands({
        ...{ database, channels, endRun: createEndRun(), queue, quotas: used, knownTemplates },
        reportRemoval: async () => () => undefined,
      }),
      createWithDeck: createCreateWithDeck({ database, presenton, ...admission }),
      finished: createFinishedCommands({
        ...{ database, presenton, quotas: used, defaultTemplate: 'general' },
      }),
    },
    startRegeneration: createStartRegeneration({ database, channels, queue, quotas: used }),
    startTurn: createStartChatTurn({
      ...{ database, presenton, editsPerDay, leaseMs: 15_000 },
      logger: { warn: () => undefined },
    }),
    resolveFiles: async () => ({ sources: [], paths: [] }),
    findPresentation: (own) => findPresentation(database, own),
    waitUntilSettled: createWaitUntilSettled({ database, channels }),
    presign: async () => ({ url: 'https://store.test/file', expiresAt: new Date() }),
    takeStream: () => () => undefined,
    passPage: () => ({ page: true }),
  })
  const app = Fastify({ forceCloseConnections: true })
  app.setErrorHandler((error, _, reply) => {
    const problem = error instanceof Problem ? error : new Problem('INTERNAL_ERROR')
    return reply.code(problem.status).send({ detail: problem.detail, code: problem.code })
  })
  for (const [name, [method, path, place]] of Object.entries(rows)) {
    app.route({
      ...{ method, url: path },
      handler: async (request, reply) => {
        const left = new AbortController()
        reply.raw.once('close', () => left.abort())
        const owner = String(request.headers['x-user'])
        const [part = '', member = ''] = place?.split('.') ?? []
        const given = (request as unknown as Record<string, Record<string, string>>)[part]?.[member]
        const deck = place && (await findOwnDeck(database, owner, given ?? ''))
        if (place && !deck) throw new Problem('NOT_FOUND')
        return handlers[name]?.({
          ...{ owner, account: sharedAccount, deck: deck || undefined, signal: left.signal },
          session: {
            ...{ hash: String(request.headers['x-session'] ?? owner), userId: owner },
            ...{
              userName: null,
              createdAt: new Date(),
              expiresAt: new Date(Date.now() + 3_600_000),
            },
          },
          params: request.params as Record<string, string>,
          query: request.query as Record<string, string>,
          ...{ body: request.body, request, reply },
        } as never)
      },
    })
  }
  return { url: await app.listen({ port: 0, host: '127.0.0.1' }), close: () => app.close() }
}
