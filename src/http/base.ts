// A Fastify server as every listener of this service needs it: strict about what comes in, patient
// with nobody, and with a problem document for whatever goes wrong. What it serves is put together
// in server.ts.

import { randomUUID } from 'node:crypto'
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
import { Problem } from '../domain/problem.ts'
import { createMethodTable } from './allowed-methods.ts'
import { addJsonParser, maxBodyBytes } from './body/json-parser.ts'
import { handleError, pathOf } from './problems.ts'
import { rejectConnect, respondToClientError } from './raw-responses.ts'
import { type SecurityOptions, securityHeaders } from './security-headers.ts'

export type App = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>

/** What is known of a request once it is answered, or once its caller has left. */
export interface CompletedRequest {
  method: string
  /** The route's pattern, or 'unknown': paths themselves hold ids. */
  route: string
  status: number
  seconds: number
}

export interface BaseOptions {
  logger: FastifyBaseLogger
  trustProxy: boolean | number | string[]
  security: SecurityOptions
  /**
   * A connection on which nothing moves for so long is closed. Must be above the heartbeat of the
   * event streams.
   */
  idleTimeoutMs: number
  onRequestCompleted?: ((answered: CompletedRequest) => void) | undefined
  /** Counts a request that no route answers; throws when there were too many. */
  limitUnknown?: ((request: FastifyRequest, reply: FastifyReply) => Promise<void>) | undefined
}

/** Head and body of a request must have come within this time, however slowly somebody sends. */
const requestTimeoutMs = 60_000
const headersTimeoutMs = 20_000
/** Room for a token of 16 KiB beside the other headers. */
const maxHeaderBytes = 32 * 1024
/**
 * Node counts names and values alone, so that many small headers slip through; beyond 2000 it drops
 * them without a word.
 */
const maxHeaders = 200

export function createBase({
  logger,
  trustProxy,
  security,
  idleTimeoutMs,
  onRequestCompleted,
  limitUnknown,
}: BaseOptions): App {
  const headers = securityHeaders(security)
  const methods = createMethodTable()

  const app: App = fastify<RawServerDefault>({
    loggerInstance: logger,
    logController: new LogController({
      disableRequestLogging: true,
      requestIdLogLabel: 'request_id',
    }),
    requestIdHeader: false,
    genReqId: ({ headers: { 'x-request-id': given } }) =>
      typeof given === 'string' && /^[\w.:-]{1,64}$/.test(given) ? given : randomUUID(),
    // Given a number, Fastify trusts nobody (it can't know the nearest peer). Whoever sets one
    // vouches for the network.
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    bodyLimit: maxBodyBytes,
    // A proxy may ask for the whole address (RFC 9112, section 3.2.2). Whose name stands in it does
    // not matter here.
    rewriteUrl: ({ url = '/' }) => url.replace(/^https?:\/\/[^/?#]*\/?/i, '/'),
    // No parameter is matched by a pattern, so their length is no danger; a bound would answer long
    // ids unlike other ones.
    routerOptions: { maxParamLength: maxHeaderBytes },
    connectionTimeout: idleTimeoutMs,
    requestTimeout: requestTimeoutMs,
    // Node would refuse a missing Host by itself, with nothing but a status.
    http: {
      requireHostHeader: false,
      headersTimeout: headersTimeoutMs,
      connectionsCheckingInterval: 5_000,
      maxHeaderSize: maxHeaderBytes,
    },
    forceCloseConnections: true,
    // While closing we still answer: our own stages of shutdown decide what is served, in our own
    // format.
    return503OnClosing: false,
    // One error at a time: collecting all of them lets 8 MiB of nonsense become gigabytes of
    // messages.
    ajv: {
      customOptions: {
        coerceTypes: false,
        removeAdditional: false,
        useDefaults: false,
        allErrors: false,
      },
    },
    frameworkErrors: (error, request, reply) => {
      setCommonHeaders(request, reply)
      const counted = limitUnknown?.(request, reply) ?? Promise.resolve()
      void counted.then(
        () => handleError(error, request, reply),
        (refusal: unknown) => handleError(refusal, request, reply),
      )
    },
    clientErrorHandler: (error, socket) => respondToClientError(error, socket, headers),
  }).withTypeProvider<TypeBoxTypeProvider>()

  function setCommonHeaders(request: FastifyRequest, reply: FastifyReply) {
    reply.headers({ ...headers, 'x-request-id': request.id })
  }

  function refuseUnknown(request: FastifyRequest): never {
    const allowed = methods.of(pathOf(request))
    // A route may find out by itself that there is nothing.
    if (allowed.length === 0 || allowed.includes(request.method)) throw new Problem('NOT_FOUND')
    throw new Problem('METHOD_NOT_ALLOWED', { headers: { allow: allowed.join(', ') } })
  }

  // The schemas of answers are for readers of the documentation; what is sent was checked by the
  // compiler.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data))
  addJsonParser(app)
  // The route of all preflights says nothing about any one path.
  app.addHook('onRoute', ({ url, method }) => void (url === '*' || methods.add(url, method)))
  closePipelinedResponses(app)
  logCompletedRequests(app, onRequestCompleted)
  app.addHook('onRequest', async (request, reply) => {
    setCommonHeaders(request, reply)
    checkRequestHead(request)
  })
  // Before the body is read: nobody has to be heard out who asks for nothing we have.
  app.addHook('preParsing', async (request, reply) => {
    if (!request.is404) return
    await limitUnknown?.(request, reply)
    refuseUnknown(request)
  })
  app.addHook('preValidation', async (request) => {
    readNumbers(request)
    readId(request)
  })
  app.setErrorHandler(handleError)
  app.setNotFoundHandler(refuseUnknown)
  // Node would answer 417 to an expectation it doesn't know; it may as well be passed over (RFC
  // 9110, section 10.1.1).
  app.server.on('checkExpectation', (request, response) => app.routing(request, response))
  app.server.on('connect', (_request, socket) => rejectConnect(socket, headers))
  return app
}

/** What Node's parser lets pass, and no honest client sends. */
function checkRequestHead({ raw: { rawHeaders, httpVersion } }: FastifyRequest) {
  if (rawHeaders.length > 2 * maxHeaders) throw new Problem('VALIDATION_FAILED', { status: 431 })
  const hosts = rawHeaders.filter((name, i) => i % 2 === 0 && name.toLowerCase() === 'host').length
  // Of two, whatever stands between us and the caller may have read the other (RFC 9112, section
  // 3.2).
  if (hosts > 1 || (hosts === 0 && httpVersion === '1.1')) throw new Problem('VALIDATION_FAILED')
}

/**
 * Parameters of a query come as text. Where the schema says integer, plain digits are read as one;
 * all else is left to be refused.
 */
function readNumbers(request: FastifyRequest) {
  const schema = request.routeOptions.schema?.querystring as
    | { properties?: Record<string, { type?: string }> }
    | undefined
  const query = request.query as Record<string, unknown>
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    const value = query[name]
    if (property.type === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value))
      query[name] = Number(value)
  }
}

/** Ids may be spelled in capitals; from here on each has one spelling, the database's. */
function readId({ params }: FastifyRequest) {
  const given = params as { id?: unknown }
  if (typeof given.id === 'string') given.id = given.id.toLowerCase()
}

/**
 * Node tells of a closed connection only the answer whose turn it is. Those that were asked for
 * behind it (pipelined) would never end, for whoever counts what is under way or feeds a stream.
 */
function closePipelinedResponses(app: App) {
  app.addHook('onRequest', async (request, { raw }) => {
    if (raw.socket) return
    const { socket } = request.raw
    const tell = () => void process.nextTick(() => raw.closed || raw.emit('close'))
    // As many as there are of them.
    socket.setMaxListeners(0)
    socket.once('close', tell)
    raw.once('close', () => socket.off('close', tell))
  })
}

/**
 * One line for each request, at its end or when its caller leaves; never with the query, which may
 * hold a ticket.
 */
function logCompletedRequests(app: App, onAnswered: BaseOptions['onRequestCompleted']) {
  app.addHook('onRequest', async (request, reply) => {
    reply.raw.once('close', () => {
      const { method, routeOptions } = request
      const route = routeOptions.url ?? 'unknown'
      const aborted = !reply.raw.writableFinished
      // Until headers are sent the status says 200, whatever would have come; 499 is what nginx
      // calls a caller who left.
      const status = aborted && !reply.raw.headersSent ? 499 : reply.raw.statusCode
      const answered = { method, route, status, seconds: reply.elapsedTime / 1000 }
      onAnswered?.(answered)
      request.log.info(
        {
          method,
          route,
          path: pathOf(request),
          status,
          ms: Math.round(reply.elapsedTime),
          ...(aborted && { aborted }),
        },
        'request',
      )
    })
  })
}
