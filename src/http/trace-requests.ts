// One span for each request, by hand: a hook of Fastify is not worth a span. The span of an event
// stream ends with its headers, and the stream itself has a span that ends with it.

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { type Span, withSpan } from '../telemetry/traces/span.ts'
import { parseTraceparent } from '../telemetry/traces/trace-context.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Undefined without a tracer. */
    span: Span | undefined
  }
}

export interface TraceRequestsOptions {
  tracer: Tracer | undefined
  trustProxy: boolean | number | string[]
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/** To be called before other hooks are added, so that their log lines bear the ids of the span. */
export function traceRequests(
  app: FastifyInstance,
  { tracer, trustProxy }: TraceRequestsOptions,
): void {
  app.decorateRequest('span')
  if (!tracer) return
  const isTrusted = createTrust(trustProxy)

  app.addHook('onRequest', (request, reply, done) => {
    const { method: given, routeOptions, headers, socket } = request
    const method = methods.has(given) ? given : '_OTHER'
    const route = routeOptions.url
    const span = tracer.start(route === undefined ? method : `${method} ${route}`, {
      kind: 'server',
      attributes: {
        'http.request.method': method,
        'url.scheme': request.protocol,
        ...(route !== undefined && { 'http.route': route }),
      },
      parent: parseTraceparent(headers.traceparent),
      ignoresSampling: !isTrusted(socket.remoteAddress),
    })
    request.span = span
    reply.raw.once('close', () => {
      if (request.span === span) endRequest(span, reply)
    })
    withSpan(span, done)
  })
  // A body arrives in the asynchronous context of its connection.
  app.addHook('preValidation', ({ span }, _reply, done) => {
    if (span) withSpan(span, done)
    else done()
  })
}

function endRequest(span: Span, { raw }: FastifyReply): void {
  const status = raw.statusCode
  if (raw.headersSent || status === 101) span.set({ 'http.response.status_code': status })
  if (status >= 500) span.fail(String(status))
  if (!raw.writableFinished && status !== 101) span.fail('disconnected')
  span.end()
}

/** To be called once the headers of a stream are sent: its request is over for traces. */
export function endSpanAtHeaders({ request, raw }: FastifyReply): void {
  const { span } = request as FastifyRequest
  if (!span) return
  span.set({ 'http.response.status_code': raw.statusCode })
  span.event('stream opened')
  const stream = span.child('event stream')
  request.span = stream
  span.end()
  raw.once('close', () => stream.end())
}

/** Whether the peer is a proxy that TRUST_PROXY names. */
export function createTrust(
  trustProxy: TraceRequestsOptions['trustProxy'],
): (address: string | undefined) => boolean {
  if (!Array.isArray(trustProxy)) return () => trustProxy !== false && trustProxy !== 0
  const networks = trustProxy.map((entry) => {
    if (entry.includes('/')) return ipaddr.parseCIDR(entry)
    const address = ipaddr.parse(entry)
    return [address, address.kind() === 'ipv4' ? 32 : 128] as [typeof address, number]
  })
  return (text) => {
    if (text === undefined || !ipaddr.isValid(text)) return false
    const address = ipaddr.process(text)
    return networks.some(
      ([network, bits]) => network.kind() === address.kind() && address.match(network, bits),
    )
  }
}
