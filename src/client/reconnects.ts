// What every stream does between two connections: renew a token that has expired, and wait longer
// after each failure.

import { type GatewayError, tokenExpired } from './errors.ts'
import { backoffMs, jitterMs, type Timing } from './timing.ts'
import type { TokenSource } from './token.ts'

export interface ReconnectsOptions {
  tokens: TokenSource
  timing: Timing
}

/** The wait of a connection that ended without saying how long to wait. */
export const defaultRetryMs = 2_000

/** The wait that the gateway asked for, within reason; undefined when it did not. */
export function askedRetryMs({ retryAfterMs }: GatewayError): number | undefined {
  return retryAfterMs === undefined ? undefined : Math.min(60_000, retryAfterMs)
}

export function createReconnects({ tokens, timing }: ReconnectsOptions) {
  /** Connections in a row that brought nothing. */
  let failures = 0
  let refusedToken: string | undefined

  return {
    /** The connection has brought something. */
    succeeded() {
      failures = 0
      refusedToken = undefined
    },

    /** @throws GatewayError TOKEN_EXPIRED: twice in a row, so the renewed token is no better */
    renew(token: string | undefined): void {
      if (refusedToken !== undefined && refusedToken === token) throw tokenExpired()
      refusedToken = token
      tokens.renew(token)
    },

    /** Rejects with the signal's reason. */
    async wait(retryMs: number, signal: AbortSignal | undefined): Promise<void> {
      const waitMs = failures === 0 ? 0 : backoffMs(failures, timing)
      failures += 1
      await timing.sleep(Math.max(waitMs, jitterMs(retryMs, timing)), signal)
    },
  }
}
