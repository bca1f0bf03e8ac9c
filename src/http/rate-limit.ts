// The number of requests that one user may make in a minute on this replica. Requests without a
// valid token count for their address, so guessing tokens is limited, too.

import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from './base.ts'
import { callerKey } from './caller-key.ts'

/** Counts a request and writes the RateLimit headers. @throws Problem RATE_LIMIT_EXCEEDED */
export type CheckRateLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

const windowMs = 60_000
/** Users and addresses remembered at once; the least recent ones are forgotten first. */
const maxKeys = 50_000

export async function createRateLimit(
  app: App,
  {
    perMinute,
    keyOf = callerKey,
  }: { perMinute: number; keyOf?: (request: FastifyRequest) => string },
): Promise<CheckRateLimit> {
  await app.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: windowMs,
    cache: maxKeys,
    keyGenerator: keyOf,
  })
  const count = app.createRateLimit()

  return async (request, reply) => {
    const counted = await count(request)
    if (counted.isAllowed) return
    reply.headers({
      'ratelimit-limit': String(counted.max),
      'ratelimit-remaining': String(counted.remaining),
      'ratelimit-reset': String(counted.ttlInSeconds),
    })
    if (counted.isExceeded)
      throw new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds: counted.ttlInSeconds })
  }
}

/** Counts every request of the scope. */
export function limitRequests(scope: App, check: CheckRateLimit) {
  describeRateLimit(scope)
  scope.addHook('onRequest', check)
}

/** For OpenAPI: the responses of the scope have the RateLimit headers. */
export function describeRateLimit(scope: App) {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, isRateLimited: true }
  })
}

/** Counts requests that no route of this server matches, also those with an unreadable URL. */
export function limitUnknownRoutes(app: App, check: CheckRateLimit) {
  app.decorate('checkUnknownRoute', check)
  app.addHook('onRequest', async (request, reply) => {
    if (request.is404) await check(request, reply)
  })
}
