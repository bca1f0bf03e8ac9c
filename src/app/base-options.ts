import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../config/config.ts'
import { strictHeaders } from '../http/security-headers.ts'

export type BaseConfig = Pick<Config, 'publicUrl' | 'trustProxy' | 'corsOrigins' | 'events'>

/** Above the longest silence of a healthy connection: a `wait` of 60 s, or two heartbeats. */
export const idleTimeoutMs = ({ heartbeatMs }: Config['events']): number =>
  Math.max(90_000, 3 * heartbeatMs)

/** What the servers of the API and of the operators have in common. */
export function baseOptions(
  { publicUrl = '', trustProxy, corsOrigins, events }: BaseConfig,
  logger: FastifyBaseLogger,
) {
  return {
    logger,
    trustProxy,
    headers: strictHeaders({
      isHttps: publicUrl.startsWith('https:'),
      isShared: corsOrigins.length > 0,
    }),
    idleTimeoutMs: idleTimeoutMs(events),
  }
}
