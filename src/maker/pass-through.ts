// What goes upstream as the browser asked for it: pages, files of the interface, and what everybody
// may read. Nothing but the headers named here passes in either direction: no cookie, no
// credential, no address. Upstream gets the session of the user's account instead.

import proxy from '@fastify/http-proxy'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from '../http/base.ts'
import { disconnectSignal } from '../http/disconnect.ts'
import { pathOf } from '../http/problems.ts'
import type { UpstreamAccount } from '../presenton/account.ts'
import { failCall, startCallSpan, withTraceparent } from '../presenton/call-span.ts'
import type { Presenton } from '../presenton/client.ts'
import { decodePlainPath, encodeSegments } from '../presenton/plain-path.ts'
import type { Span } from '../telemetry/traces/span.ts'
import { filePolicy, isFile } from './file-policy.ts'
import { addNotice, maxPageBytes } from './notice.ts'
import type { OwnDeck } from './own-decks.ts'
import { removeParameters } from './query.ts'
import type { Row } from './table/row.ts'

export interface PassThrough {
  /** Where upstream is. */
  upstreamUrl: string
  presenton: Pick<Presenton, 'passHeaders' | 'checkCircuit'>
  accountOf: (userId: string) => UpstreamAccount
}

/** Runs before a request goes upstream. */
export type BeforePass = (request: FastifyRequest, reply: FastifyReply) => Promise<unknown>

interface Passed {
  headers: Record<string, string>
  reject: () => void
  isAsset: boolean
  /** Of the call upstream; undefined without a tracer. */
  span?: Span | undefined
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The deck that a request names which goes upstream. */
    ownDeck: OwnDeck | undefined
    /** For upstream, made here. */
    passed: Passed | undefined
  }
}

/** As much as any message of upstream may have; images may be in a deck itself. */
const maxDeckBytes = 16 * 1024 * 1024

/** For all that upstream may do for a page. */
const timeoutMs = 60_000

const requestHeaders = [
  ...['accept', 'accept-language', 'rsc', 'next-url', 'next-router-state-tree'],
  ...['next-router-prefetch', 'next-router-segment-prefetch'],
]
const assetRequestHeaders = ['accept', 'if-none-match', 'if-modified-since']
const responseHeaders = /^(?:content-type|content-length|vary|x-nextjs-[\w-]+)$/
const assetResponseHeaders =
  /^(?:content-type|content-length|vary|etag|last-modified|cache-control)$/

export async function passThroughRoutes(
  app: App,
  rows: readonly Row[],
  { upstreamUrl, presenton, accountOf }: PassThrough,
  before: BeforePass,
): Promise<void> {
  const [row] = rows
  if (!row) return
  const isAsset = row.class === 'asset'

  async function readHeaders(request: FastifyRequest, reply: FastifyReply) {
    const names = isAsset ? assetRequestHeaders : requestHeaders
    const given = names.flatMap((name) => {
      const value = request.headers[name]
      return typeof value === 'string' ? [[name, value] as const] : []
    })
    const own = { ...Object.fromEntries(given), 'accept-encoding': 'identity' }
    if (isAsset || !request.makerSession) {
      presenton.checkCircuit()
      return { headers: own, reject: () => undefined, isAsset }
    }
    const account = accountOf(request.makerSession.userId)
    const used = await presenton.passHeaders({ account, signal: disconnectSignal(reply) })
    return { headers: { ...own, ...used.headers }, reject: used.reject, isAsset }
  }

  await app.register(proxy, {
    upstream: upstreamUrl,
    routes: rows.map(({ path }) => path),
    httpMethods: ['GET'],
    config: { row: { ...row, path: '' } },
    // No row of this kind takes a body.
    proxyPayloads: false,
    // Some GETs of upstream cost money; the proxy would repeat one that is answered 503.
    retryMethods: [],
    disableRequestLogging: true,
    undici: { connections: 128, headersTimeout: timeoutMs, bodyTimeout: timeoutMs },
    preHandler: async (request, reply) => {
      upstreamPath(request as unknown as FastifyRequest)
      await before(request, reply)
      if (reply.sent) return
      const passed = await readHeaders(request, reply)
      const span = startCallSpan({ path: pathOf(request) })
      request.passed = { ...passed, headers: withTraceparent(passed.headers, span), span }
      if (span) reply.raw.once('close', () => span.end())
    },
    handler: (request, reply, _target, options) =>
      reply.from(upstreamPath(request as unknown as FastifyRequest), {
        ...options,
        queryString: () => {
          const parameters = new URLSearchParams(request.query as Record<string, string>)
          removeParameters(parameters)
          return parameters.toString()
        },
      }),
    replyOptions: {
      rewriteRequestHeaders: (request, { host }) => ({ ...request.passed?.headers, host }),
      rewriteHeaders: (headers) => {
        const allowed = isAsset ? assetResponseHeaders : responseHeaders
        return Object.fromEntries(Object.entries(headers).filter(([name]) => allowed.test(name)))
      },
      // Their types also allow HTTP/2, which this server does not speak.
      onResponse: (request, reply, response) =>
        void answer(
          request as unknown as FastifyRequest,
          reply as unknown as FastifyReply,
          response as unknown as UpstreamResponse,
        ),
      onError: (reply, { error }) => {
        failCall(reply.request.passed?.span, error)
        const status = (error as { statusCode?: number }).statusCode
        const code = status === 504 ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_UNAVAILABLE'
        reply.send(new Problem(code, { cause: error }))
      },
    },
  })

  interface UpstreamResponse {
    statusCode: number
    headers: Record<string, string | string[] | undefined>
    stream: NodeJS.ReadableStream & { destroy: () => void }
  }

  async function answer(
    request: FastifyRequest,
    reply: FastifyReply,
    { statusCode, headers, stream }: UpstreamResponse,
  ) {
    request.passed?.span?.set({ 'http.response.status_code': statusCode })
    try {
      const { location } = headers
      if (statusCode === 401 || isLogin(location)) {
        // The browser's next request leads to a new login.
        request.passed?.reject()
        throw new Problem('UPSTREAM_UNAVAILABLE', { retryAfterSeconds: 1 })
      }
      // A file of another account: whether it exists is not revealed.
      if (statusCode === 403) throw new Problem('NOT_FOUND')
      if (statusCode >= 500) throw new Problem('UPSTREAM_ERROR')
      if (typeof location === 'string') reply.header('location', ownLocation(location, upstreamUrl))
      else if (statusCode >= 300 && statusCode < 400 && statusCode !== 304)
        throw new Problem('UPSTREAM_ERROR')
      if (row?.class === 'own' && statusCode === 200) {
        const deck = toOwnDeck(parseDeck(await readText(stream, maxDeckBytes)), request)
        return reply.removeHeader('content-length').send(deck)
      }
      const { 'content-type': type } = headers
      const isFileOfRoute = isFile(request.routeOptions.url ?? '', type)
      if (isFileOfRoute) reply.header('content-security-policy', filePolicy)
      const isPage = !isFileOfRoute && /^text\/html\b/.test(String(type))
      if (isAsset || !isPage || statusCode !== 200) return reply.send(stream)
      const page = await readText(stream, maxPageBytes)
      return reply.removeHeader('content-length').send(addNotice(page))
    } catch (error) {
      stream.destroy()
      for (const name of ['content-type', 'content-length', 'cache-control', 'etag'])
        if (name !== 'cache-control' || isAsset) reply.removeHeader(name)
      return reply.send(error)
    }
  }
}

/** Upstream's deck under the presentation's title, which may be another than the one we gave it. */
function toOwnDeck(deck: unknown, { ownDeck }: FastifyRequest): unknown {
  if (typeof deck !== 'object' || deck === null || !('title' in deck)) return deck
  const { owner_id: _, ...shown } = deck as Record<string, unknown>
  return { ...shown, title: ownDeck?.title ?? shown['title'] }
}

/** Where upstream's pages send a visitor without a session. */
const isLogin = (location: unknown) =>
  typeof location === 'string' && /[?&]reason=unauthorized\b/.test(location)

/** @throws Problem UPSTREAM_ERROR */
function parseDeck(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Problem('UPSTREAM_ERROR', { cause })
  }
}

async function readText(stream: AsyncIterable<unknown>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    chunks.push(Buffer.from(chunk as Uint8Array))
    bytes += (chunk as Uint8Array).length
    if (bytes > maxBytes) throw new Problem('UPSTREAM_ERROR')
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** A path of ours. @throws Problem UPSTREAM_ERROR for another origin */
export function ownLocation(location: string, upstreamUrl: string): string {
  const target = URL.canParse(location, upstreamUrl) ? new URL(location, upstreamUrl) : undefined
  if (target?.origin !== new URL(upstreamUrl).origin) throw new Problem('UPSTREAM_ERROR')
  // A browser takes such a path for another host.
  if (target.pathname.startsWith('//')) throw new Problem('UPSTREAM_ERROR')
  return `${target.pathname}${target.search}`
}

/** The very path that was matched, without dot segments in any spelling. */
function upstreamPath(request: FastifyRequest): string {
  const path = pathOf(request)
  if (path === '/') return path
  const { url = '' } = request.routeOptions
  // An id in the path may be of an earlier deck.
  if (request.ownDeck && url.endsWith('/:id'))
    return `${url.slice(0, -':id'.length)}${encodeSegments([request.ownDeck.deckId])}`
  const plain = decodePlainPath(path)
  if (plain === undefined) throw new Problem('NOT_FOUND')
  return `/${encodeSegments(plain.slice(1).split('/'))}`
}
