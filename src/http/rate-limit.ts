// How many requests one user may make in a minute, here on this replica. Who shows no good token is
// counted by address, so that guessing is bounded too.

import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from './base.ts'
import { callerKey } from './caller-key.ts'

/**
 * Counts a request and writes the RateLimit headers; throws RATE_LIMIT_EXCEEDED when it is one too
 * many.
 */
export type CheckRateLimit = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

const windowMs = 60_000
/** Users and addresses that are remembered at once; the least recent ones are forgotten first. */
const rememberedKeys = 50_000

export async function createRateLimit(
  app: App,
  { perMinute }: { perMinute: number },
): Promise<CheckRateLimit> {
  await app.register(rateLimit, {
    global: false,
    max: perMinute,
    timeWindow: windowMs,
    cache: rememberedKeys,
    keyGenerator: callerKey,
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
