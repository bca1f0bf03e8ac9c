// The Fastify server that every listener of this service starts from: connection timeouts, checks
// of the request head, the request log, and a problem document for every error. Body parsers, rate
// limits, cache rules and other security headers are added by the scopes: see app/server.ts.

import { randomUUID } from 'node:crypto'
import type { Socket } from 'node:net'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import fastify, {
  type FastifyBaseLogger,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  LogController,
  type RawReplyDefaultExpression,
  type RawRequestDefaultExpression,
  type RawServerDefault,
} from 'fastify'
import { unicodeFormat } from '../contract/text.ts'
import { Problem } from '../domain/problem.ts'
import type { ReportError } from '../telemetry/errors/error-reports.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import { createMethodTable } from './allowed-methods.ts'
import { createLingeringClose, type LingeringClose } from './lingering-close.ts'
import { closePipelinedResponses } from './pipelined-responses.ts'
import { handleError, pathOf } from './problems.ts'
import { rejectConnect, respondToClientError } from './raw-responses.ts'
import { type CompletedRequest, logCompletedRequests } from './request-log.ts'
import { traceRequests } from './trace-requests.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

declare module 'fastify' {
  interface FastifyInstance {
    lingeringClose: LingeringClose
    /** Connections whose request has timeouts of its own, instead of `requestTimeoutMs`. */
    slowRequests: Set<Socket>
    /** Receives unexpected errors. */
    reportError: ReportError | undefined
    /** Set by `limitUnknownRoutes`. Fastify runs no hook before `frameworkErrors`. */
    checkUnknownRoute?: (request: FastifyRequest, reply: FastifyReply) => Promise<void>
    /** Set by a scope that serves pages, for people who open a URL that leads to nothing. */
    sendUnknownPage?: (request: FastifyRequest, reply: FastifyReply) => FastifyReply
  }
}

export interface BaseOptions {
  logger: FastifyBaseLogger
  trustProxy: boolean | number | string[]
  /** On every response; a scope changes them with `securityHeaders`. */
  headers: Record<string, string>
  /** Idle connections are closed after this time. It must exceed the heartbeat of streams. */
  idleTimeoutMs: number
  /**
   * Time for head and body of one request. Node has one value for the whole server; `slowRequests`
   * are exempt from it, and `jsonBodies` has a timeout of its own.
   */
  requestTimeoutMs?: number
  onRequestCompleted?: ((completed: CompletedRequest) => void) | undefined
  tracer?: Tracer | undefined
  reportError?: ReportError | undefined
  /** Sends the response to a failed request; default: a problem document. */
  sendError?: typeof handleError
  /** Whether a route with GET also takes HEAD, unless it says otherwise. */
  takesHead?: boolean
}

const headersTimeoutMs = 20_000
/** Enough for a token of 16 KiB beside the other headers. */
const maxHeaderBytes = 32 * 1024
/**
 * Node's limit of bytes counts names and values only, so many small headers pass it. Beyond 2,000
 * headers Node drops the rest silently.
 */
const maxHeaders = 200

// `allErrors` would let a body of 8 MiB cause gigabytes of messages.
const validation = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: false,
  // Both make a start shorter. TypeBox makes valid schemas only, and V8 optimizes the code.
  validateSchema: false,
  code: { optimize: false },
  formats: { [unicodeFormat]: (text: string) => text.isWellFormed() },
} as const

/** Does not listen yet. Without a parser of its scope, a request with a body gets 415. */
export function createBase({
  logger,
  trustProxy,
  headers,
  idleTimeoutMs,
  requestTimeoutMs = 60_000,
  onRequestCompleted,
  tracer,
  reportError,
  sendError = handleError,
  takesHead = true,
}: BaseOptions): App {
  const methods = createMethodTable()
  const lingeringClose = createLingeringClose()
  const slowRequests = new Set<Socket>()

  const app: App = fastify<RawServerDefault>({
    loggerInstance: logger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id',
    }),
    requestIdHeader: false,
    genReqId: ({ headers: { 'x-request-id': given } }) =>
      typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID(),
    // Fastify ignores a hop count, because it can't tell who the nearest peer is. An operator who
    // sets one vouches for the network.
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    // A proxy may send the whole URL as target (RFC 9112, section 3.2.2). Its host is ignored.
    rewriteUrl: ({ url = '/' }) => url.replace(/^https?:\/\/[^/?#]*\/?/i, '/'),
    // Routes match parameters without patterns, so long ones are harmless: they get 404, not 414.
    routerOptions: { maxParamLength: maxHeaderBytes },
    exposeHeadRoutes: takesHead,
    connectionTimeout: idleTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Fastify's 10 s are too short for a start on a busy machine.
    pluginTimeout: 60_000,
    http: {
      // Node would refuse a missing Host header without a problem document.
      requireHostHeader: false,
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: maxHeaderBytes,
      ServerResponse: lingeringClose.ServerResponse,
    },
    forceCloseConnections: true,
    // Our shutdown stages decide what is still served, and how a refusal looks.
    return503OnClosing: false,
    ajv: { customOptions: validation },
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply)
      const checked = app.checkUnknownRoute?.(request, reply) ?? Promise.resolve()
      void checked
        .then(
          () => error,
          (tooMany: unknown) => tooMany,
        )
        .then(async (reason) => {
          await finishPacket(request)
          sendError(reason, request, reply)
        })
    },
    clientErrorHandler: (error, socket) =>
      respondToClientError(error, socket, { headers, lingeringClose, slowRequests }),
  }).withTypeProvider<TypeBoxTypeProvider>()

  function setCommonHeaders(request: FastifyRequest, reply: FastifyReply) {
    reply.headers({ ...headers, 'x-request-id': request.id })
  }

  const unknownRoutes = createUnknownRoutes(app, methods)

  app.decorate('lingeringClose', lingeringClose)
  app.decorate('slowRequests', slowRequests)
  app.decorate('reportError', reportError)
  app.removeAllContentTypeParsers()
  // Response schemas document; the compiler has checked what is sent.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  // @fastify/cors adds the route `*` for preflights; it allows no method of a path.
  app.addHook('onRoute', ({ url, method }) => void (url === '*' || methods.add(url, method)))
  traceRequests(app, { tracer, trustProxy })
  closePipelinedResponses(app)
  logCompletedRequests(app, onRequestCompleted)
  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(request, reply)
    checkRequestHead(request)
  })
  // Reject unknown routes before reading the body.
  app.addHook('preParsing', async (request) => {
    if (request.is404) unknownRoutes.check(request)
    // The body broke off during authentication, so its parser would wait forever.
    if (request.raw.errored instanceof Problem) throw request.raw.errored
  })
  // Fastify runs no onSend after `frameworkErrors`.
  app.addHook('onSend', finishPacket)
  app.setErrorHandler(sendError)
  app.setNotFoundHandler(unknownRoutes.respond)
  // Ignore unknown expectations, as RFC 9110, section 10.1.1 allows. Node would respond 417.
  app.server.on('checkExpectation', (request, response) => app.routing(request, response))
  app.server.on('connect', (_request, socket) => rejectConnect(socket, { headers, lingeringClose }))
  return app
}

/** What a path that no route has gets: a problem, or a page where browsers are shown pages. */
function createUnknownRoutes(app: App, methods: ReturnType<typeof createMethodTable>) {
  function refuseUnknownRoute(request: FastifyRequest): never {
    const allowed = methods.of(pathOf(request))
    // The method is allowed when a route itself called the not-found handler.
    if (allowed.length === 0 || allowed.includes(request.method)) throw new Problem('NOT_FOUND')
    throw new Problem('METHOD_NOT_ALLOWED', { headers: { allow: allowed.join(', ') } })
  }

  /** A browser that opens a document, not a program that reads. */
  const wantsPage = (request: FastifyRequest): boolean =>
    app.sendUnknownPage !== undefined &&
    request.method === 'GET' &&
    /\btext\/html\b/.test(request.headers.accept ?? '') &&
    !pathOf(request).startsWith('/api/') &&
    methods.of(pathOf(request)).length === 0

  return {
    /** @throws Problem NOT_FOUND, METHOD_NOT_ALLOWED */
    check(request: FastifyRequest): void {
      if (!wantsPage(request)) refuseUnknownRoute(request)
    },
    respond: (request: FastifyRequest, reply: FastifyReply) =>
      wantsPage(request) && app.sendUnknownPage
        ? app.sendUnknownPage(request, reply)
        : refuseUnknownRoute(request),
  }
}

/**
 * Node may run promises between the head and the body of one packet. Only after the packet is it
 * known whether the body has arrived, so that the connection can be kept.
 */
async function finishPacket({ raw }: FastifyRequest) {
  if (!raw.complete) await new Promise(setImmediate)
}

/** Rejects what Node's parser accepts although no correct client sends it. */
function checkRequestHead({ raw: { rawHeaders, httpVersion } }: FastifyRequest) {
  if (rawHeaders.length > 2 * maxHeaders) throw new Problem('VALIDATION_FAILED', { status: 431 })
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  // A proxy in front may have used the other of two Host headers (RFC 9112, section 3.2).
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) throw new Problem('VALIDATION_FAILED')
}
