// Cross-origin access for pages of allowed origins, with credentials.

import cors from '@fastify/cors'
import type { App } from './base.ts'

const headers = {
  methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
  allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'Last-Event-ID'],
  exposedHeaders: [
    'Location',
    'Retry-After',
    'RateLimit-Limit',
    'RateLimit-Remaining',
    'RateLimit-Reset',
    'Idempotency-Replayed',
    'Content-Disposition',
  ],
}
const preflightMaxAgeSeconds = 600

/** For all routes of the server. Without origins there is no cross-origin access. */
export async function allowOrigins(app: App, origins: readonly string[]): Promise<void> {
  if (origins.length === 0) return
  await app.register(cors, {
    ...headers,
    origin: [...origins],
    credentials: true,
    maxAge: preflightMaxAgeSeconds,
    strictPreflight: false,
  })
}
