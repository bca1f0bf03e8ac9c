// How many requests one user may make in a minute, here on this replica. Who shows no good token is counted by address, so that
// guessing is bounded too.

import { isIPv6 } from 'node:net'
import rateLimit from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Problem } from '../domain/problem.ts'
import type { App } from './base.ts'

/** Counts a request and writes the RateLimit headers; throws RATE_LIMIT_EXCEEDED when it is one too many. */
export type CountRequest = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

const windowMs = 60_000
/** Users and addresses that are remembered at once; the least recent ones are forgotten first. */
const rememberedKeys = 50_000

export async function createRequestCount(app: App, { perMinute }: { perMinute: number }): Promise<CountRequest> {
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
    if (counted.isExceeded) throw new Problem('RATE_LIMIT_EXCEEDED', { retryAfterSeconds: counted.ttlInSeconds })
  }
}

export function callerKey(request: FastifyRequest): string {
  const caller = request.caller as FastifyRequest['caller'] | undefined
  return caller ? `user ${caller.userId}` : `address ${networkOf(request.ip)}`
}

/** The address of an IPv4 host; of IPv6 the first 64 bits, since every host there has the rest for itself. */
function networkOf(ip: string): string {
  const address = ip.replace(/%.*$/s, '')
  if (!isIPv6(address)) return address
  const tail = address.slice(address.lastIndexOf(':') + 1)
  if (tail.includes('.')) return tail
  const [head = '', rest] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = rest === undefined ? 0 : 8 - groups.length - (rest === '' ? 0 : rest.split(':').length)
  const all = [...groups, ...Array<string>(missing).fill('0'), ...(rest ? rest.split(':') : [])]
  return `${all
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::`
}
