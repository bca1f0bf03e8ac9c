// A listening server for tests of routes: everything in http/ is real, and each test replaces the
// feature functions that it needs.

import { type AddressInfo, connect } from 'node:net'
import { SignJWT } from 'jose'
import { readConfig } from '../config/config.ts'
import { createChannels } from '../database/channels.ts'
import type { App } from '../http/base.ts'
import { createTokenVerifier } from '../http/tokens.ts'
import { createNotificationView } from '../notifications/view.ts'
import type { PresentationRow } from '../presentations/statements/queries.ts'
import { presentationView } from '../presentations/view.ts'
import { createConnections } from '../realtime/connections.ts'
import { createOpenConnection } from '../realtime/open-connection.ts'
import { createJobs } from '../realtime/progress/jobs.ts'
import { createLogger } from '../telemetry/logging.ts'
import { createPublicUrl } from './public-url.ts'
import { createServer, type Features } from './server.ts'
import { required, secret } from './test-environment.ts'
import { unexpectedCall, unusedMaker } from './test-maker.ts'
import { unusedSources } from './test-sources.ts'
import { unusedWebhooks } from './test-webhooks.ts'

export const rowId = '7b0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c'

export function sampleRow(changes: Partial<PresentationRow> = {}): PresentationRow {
  const time = new Date('2026-11-20T10:00:00.123Z')
  return {
    id: rowId,
    userId: 'alice',
    deckId: null,
    account: null,
    origin: 'api',
    title: null,
    status: 'queued',
    stage: null,
    run: 1,
    attempt: 0,
    progress: 0,
    template: 'general',
    language: 'English',
    nSlides: 8,
    slidesDone: 0,
    exportAs: 'pptx',
    runFormat: 'pptx',
    makesFile: true,
    revision: null,
    reviewOutlines: false,
    metadata: {},
    sources: [],
    files: [],
    error: null,
    queuePosition: 1,
    estimate: null,
    createdAt: time,
    updatedAt: time,
    startedAt: null,
    completedAt: null,
    ...changes,
  }
}

const unexpectedCalls = new Proxy({}, { get: () => unexpectedCall }) as never

export type FeatureOverrides = { [Name in keyof Features]?: Partial<Features[Name]> }

export type TestServer = Awaited<ReturnType<typeof openTestServer>>

export async function openTestServer({
  env = {},
  features = {},
  beforeListen,
}: {
  env?: Record<string, string>
  /** Replaces single functions; most others throw when they are called. */
  features?: FeatureOverrides
  /** Changes the server before it listens, for example its timeouts. */
  beforeListen?: (app: App) => void
} = {}) {
  const config = readConfig({ ...required, ...env })
  const publicUrl = createPublicUrl(config)
  const closing = new AbortController()
  const lines: string[] = []
  const openConnection = createOpenConnection({
    connections: createConnections({ ...config.realtime, closing: closing.signal }),
    ...config.realtime,
    heartbeatMs: config.events.heartbeatMs,
    takeStream: () => () => undefined,
    onWebSocketMessage: () => undefined,
    onError: unexpectedCall,
  })
  const all: Features = {
    auth: {
      verify: createTokenVerifier(config.auth),
      redeemTicket: async () => undefined,
      ...features.auth,
    },
    presentations: {
      accept: async ({ respond }) => ({ ...respond(sampleRow()), replayed: false }),
      listPresentations: unexpectedCall,
      findPresentation: async () => undefined,
      waitUntilSettled: unexpectedCall,
      cancel: unexpectedCall,
      retry: unexpectedCall,
      exportAgain: unexpectedCall,
      startRegeneration: unexpectedCall,
      createWithDeck: unexpectedCall,
      finished: { duplicate: unexpectedCall, createBlank: unexpectedCall },
      ...{ readOutlines: unexpectedCall, approveOutlines: unexpectedCall },
      ...{ saveOutlines: unexpectedCall, isApproved: unexpectedCall },
      rename: unexpectedCall,
      remove: unexpectedCall,
      slides: unexpectedCalls,
      startEdit: unexpectedCall,
      presign: unexpectedCall,
      view: (row) =>
        presentationView(row, { ...config, publicUrl: publicUrl.read(), makerUrl: null }),
      ...features.presentations,
    },
    sources: { ...unusedSources(publicUrl.read), ...features.sources },
    events: { follow: unexpectedCall, ...features.events },
    tickets: { issueTicket: unexpectedCall, ...features.tickets },
    images: { openImage: unexpectedCall, findAccount: async () => undefined, ...features.images },
    templates: { listTemplates: async () => [], ...features.templates },
    capabilities: {
      knownCapabilities: () => undefined,
      hasMaker: false,
      readCapabilities: () => Promise.reject(new Error('unknown')),
      ...features.capabilities,
    },
    usage: { readUsage: unexpectedCall, ...features.usage },
    realtime: {
      jobs: createJobs({
        database: { query: async () => [] },
        channels: createChannels(undefined),
        onTrouble: unexpectedCall,
      }),
      openConnection,
      issueRealtimeTicket: unexpectedCall,
      readStats: unexpectedCall,
      ...features.realtime,
    },
    notifications: {
      openSession: unexpectedCall,
      readStart: unexpectedCall,
      commands: {
        markRead: unexpectedCall,
        markReadUpTo: unexpectedCall,
        remove: unexpectedCall,
      },
      list: async () => [],
      countUnread: async () => 0,
      view: createNotificationView(() => null),
      announce: unexpectedCall,
      ...features.notifications,
      openConnection,
    },
    webhooks: { ...unusedWebhooks, ...features.webhooks },
    maker: { ...unusedMaker, ...features.maker },
    operations: {
      health: async () => ({ status: 'ok', version: '1.2.3', commit: null, checks: {} }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      ...features.operations,
    },
  }
  const app = await createServer({
    config,
    logger: createLogger({ logLevel: 'debug' }, { write: (line: string) => void lines.push(line) }),
    version: '1.2.3',
    publicUrl: publicUrl.read,
    closing: closing.signal,
    features: all,
  })
  beforeListen?.(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
  publicUrl.setPort(port)
  const url = `http://127.0.0.1:${port}`

  const token = (
    sub = 'alice',
    expires: string | number = '1h',
    claims: Record<string, unknown> = {},
  ) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'HS256' })
      .setSubject(sub)
      .setExpirationTime(expires)
      .sign(new TextEncoder().encode(secret))
  const bearer = `Bearer ${await token()}`

  return {
    app,
    features: all,
    url,
    port,
    lines,
    token,
    bearer,
    /** Begins the shutdown without closing the server. */
    beginClosing: () => closing.abort(new Error('closing')),

    /** As user `alice` by default. Does not follow redirects. */
    call(
      path: string,
      { headers, ...init }: RequestInit & { headers?: Record<string, string> } = {},
    ) {
      return fetch(`${url}${path}`, {
        redirect: 'manual',
        ...init,
        headers: { authorization: bearer, ...headers },
      })
    },

    post(path: string, body: unknown, headers: Record<string, string> = {}) {
      const text = typeof body === 'string' ? body : JSON.stringify(body)
      return this.call(path, {
        method: 'POST',
        body: text,
        headers: { 'content-type': 'application/json', ...headers },
      })
    },

    /** Writes the text to a new socket; resolves with all data until the connection closes. */
    raw(text: string): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text))
        let response = ''
        socket.setEncoding('latin1').on('data', (data: string) => {
          response += data
        })
        socket.once('error', reject).once('close', () => resolve(response))
      })
    },

    async close() {
      closing.abort(new Error('closing'))
      await app.close()
    },
  }
}

export async function problemOf(response: Response) {
  const body = (await response.json()) as {
    code: string
    status: number
    errors?: { path: string; message: string }[]
  } & Record<string, unknown>
  return { contentType: response.headers.get('content-type'), ...body }
}
