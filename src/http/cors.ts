// Cross-origin access for pages of allowed origins, with credentials.

import cors from '@fastify/cors'
import type { App } from './base.ts'

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']

const allowedHeaders = [
  ...['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID'],
  ...['If-Match', 'If-None-Match', 'MCP-Protocol-Version', 'Mcp-Method', 'Mcp-Name'],
  // Tracing libraries add these to every request of a page.
  ...['traceparent', 'tracestate', 'baggage', 'sentry-trace'],
]

const exposedHeaders = [
  'Location',
  'Retry-After',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Idempotency-Replayed',
  'Content-Disposition',
  'ETag',
  'WWW-Authenticate',
]
const preflightMaxAgeSeconds = 600

export interface CorsOptions {
  origins: readonly string[]
  /** Request headers that are allowed besides the gateway's own. */
  headers: readonly string[]
  /** Paths that begin with this may be read from any origin, without credentials. */
  publicPrefix?: string | undefined
}

/** For all routes of the server. Without origins there is no cross-origin access. */
export async function allowOrigins(
  app: App,
  { origins, headers, publicPrefix }: CorsOptions,
): Promise<void> {
  if (origins.length === 0 && publicPrefix === undefined) return
  const shared = { maxAge: preflightMaxAgeSeconds, strictPreflight: false }
  const ofOrigins = {
    ...shared,
    methods,
    allowedHeaders: [...allowedHeaders, ...headers],
    exposedHeaders,
    origin: origins.length > 0 ? [...origins] : false,
    credentials: true,
  }
  const ofAll = { ...shared, methods: ['GET', 'HEAD'], origin: '*' }
  await app.register(cors, {
    delegator: ({ url }, callback) =>
      callback(null, publicPrefix && url.startsWith(publicPrefix) ? ofAll : ofOrigins),
  })
}
