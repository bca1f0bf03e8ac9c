// A listening server for the tests of this folder: everything in http/ as it is, and services that
// each test gives itself.

import { type AddressInfo, connect } from 'node:net'
import { SignJWT } from 'jose'
import { readConfig } from '../config/config.ts'
import type { App } from '../http/base.ts'
import { createTokenVerifier } from '../http/tokens.ts'
import type { PresentationRow } from '../presentations/statements/queries.ts'
import { createLogger } from '../telemetry/logging.ts'
import { openServer, type Services } from './server.ts'

const secret = 'a secret for the tests of http, long enough'

const required = {
  DATABASE_URL: 'postgres://nobody@127.0.0.1:1/none',
  PRESENTON_URL: 'http://presenton.invalid',
  MINIO_ENDPOINT: 'http://minio.invalid',
  MINIO_ACCESS_KEY: 'key',
  MINIO_SECRET_KEY: 'secret',
  AUTH_JWT_SECRET: secret,
}

export const rowId = '7b0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c'

export function sampleRow(changes: Partial<PresentationRow> = {}): PresentationRow {
  const time = new Date('2026-11-20T10:00:00.123Z')
  return {
    ...{
      id: rowId,
      userId: 'alice',
      presentonPresentationId: null,
      title: null,
      status: 'queued',
      stage: null,
      run: 1,
      attempt: 0,
    },
    ...{
      progress: 0,
      template: 'general',
      language: 'English',
      nSlides: 8,
      slidesDone: 0,
      exportAs: 'pptx',
      runFormat: 'pptx',
      reviewOutlines: false,
    },
    ...{
      metadata: {},
      files: [],
      error: null,
      queuePosition: 1,
      createdAt: time,
      updatedAt: time,
      startedAt: null,
      completedAt: null,
    },
    ...changes,
  }
}

function notExpected(): never {
  throw new Error('no test expected this call')
}

export type TestServer = Awaited<ReturnType<typeof openTestServer>>

export async function openTestServer({
  env = {},
  services = {},
  beforeListen,
}: {
  env?: Record<string, string>
  services?: Partial<Services>
  /** For what a test wants shorter than anybody else. */
  beforeListen?: (app: App) => void
} = {}) {
  const config = readConfig({ ...required, ...env })
  const closing = new AbortController()
  const lines: string[] = []
  const app = await openServer({
    config,
    logger: createLogger({ logLevel: 'debug' }, { write: (line: string) => void lines.push(line) }),
    version: '1.2.3',
    closing: closing.signal,
    services: {
      verify: createTokenVerifier(config.auth),
      accept: async ({ respond }) => ({ ...respond(sampleRow()), replayed: false }),
      listPresentations: notExpected,
      findPresentation: async () => undefined,
      waitUntilSettled: notExpected,
      follow: notExpected,
      cancel: notExpected,
      retry: notExpected,
      furtherExport: notExpected,
      outlines: notExpected,
      approve: notExpected,
      rename: notExpected,
      remove: notExpected,
      issueTicket: notExpected,
      redeemTicket: async () => undefined,
      readUsage: notExpected,
      presign: notExpected,
      openPicture: notExpected,
      ownsPicture: async () => false,
      listTemplates: async () => [],
      health: async () => ({ status: 'ok', version: '1.2.3', commit: null, checks: {} }),
      metrics: async () => ({ contentType: 'text/plain; version=0.0.4', body: 'up 1\n' }),
      ...services,
    },
  })
  beforeListen?.(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.server.address() as AddressInfo
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
    url,
    port,
    lines,
    token,
    bearer,
    /** Begins a shutdown, as far as the listener knows of it. */
    beginClosing: () => closing.abort(new Error('closing')),

    /** As `alice`, unless the headers say otherwise; redirects are not followed. */
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

    /**
     * Writes the text to a socket as it is, and resolves with all that came back until the other
     * end closed.
     */
    raw(text: string): Promise<string> {
      return new Promise((resolve, reject) => {
        const socket = connect(port, '127.0.0.1', () => socket.write(text))
        let answer = ''
        socket.setEncoding('latin1').on('data', (data: string) => {
          answer += data
        })
        socket.once('error', reject).once('close', () => resolve(answer))
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
