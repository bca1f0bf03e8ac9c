// Makes one attempt of a claimed delivery, and records in the database what came of it.

import type { Database } from '../database/connection.ts'
import { retryDuringOutage } from '../database/outages.ts'
import { inOwnSpan } from '../telemetry/traces/span.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import type { Attempt, AttemptResult } from './attempt.ts'
import { type RetryRules, retryMsAfter } from './retry-delay.ts'
import type { Flight } from './slots.ts'
import type { ClaimedDelivery } from './statements/claim.ts'
import {
  type DisableRules,
  finishDelivered,
  finishFailed,
  releaseDelivery,
} from './statements/finish.ts'

export type DeliveryOutcome = 'delivered' | 'retried' | 'failed' | 'released'

export interface SendDeliveryOptions extends RetryRules {
  database: Pick<Database, 'query' | 'transaction'>
  attempt: Attempt
  leaseMs: number
  disableRules: DisableRules
  onAttempt: (outcome: DeliveryOutcome, seconds: number) => void
  tracer?: Tracer | undefined
}

/** How long the end of an attempt may take to be recorded at shutdown. */
export const closeTimeoutMs = 3_000

// Reasons of aborted attempts.
export const yielded = Symbol('others wait')
export const released = Symbol('the replica shuts down')
export const leaseLost = Symbol('lease lost')

/** `now` is a clock that never goes back, in ms. */
export function createSendDelivery(options: SendDeliveryOptions, now: () => number) {
  const { database, attempt, leaseMs, onAttempt, tracer } = options

  const elapsedSeconds = (startedMs: number) => (now() - startedMs) / 1000

  /** Repeats while the database is away, until the lease may have ended. */
  const keep = <T>(work: () => Promise<T>) =>
    retryDuringOutage(AbortSignal.timeout(Math.max(leaseMs, closeTimeoutMs)), work)

  async function finish(
    delivery: ClaimedDelivery,
    result: AttemptResult,
    responseMs: number,
  ): Promise<DeliveryOutcome | undefined> {
    if (result.outcome === 'delivered') {
      const { status } = result
      const isHeld = await finishDelivered(database, delivery, { status, responseMs })
      return isHeld ? 'delivered' : undefined
    }
    const failure = {
      error: result.error,
      status: result.status ?? null,
      retryMs: retryMsAfter({ ...result, failures: delivery.failures }, options),
      isGone: result.isGone ?? false,
      counts: !result.isOurs,
    }
    const outcome = await finishFailed(database, delivery, failure, options.disableRules)
    return outcome === 'lost' ? undefined : outcome
  }

  /** Receivers belong to others, so they get no ids of our traces. */
  const attemptTraced = ({ delivery, abandon }: Flight) => {
    const span = tracer?.start('webhook delivery', {
      kind: 'client',
      attributes: { 'http.request.method': 'POST', 'gateway.delivery.id': delivery.id },
    })
    if (!span) return attempt(delivery, abandon.signal)
    return inOwnSpan(span, async () => {
      const result = await attempt(delivery, abandon.signal)
      if (result.status !== undefined) span.set({ 'http.response.status_code': result.status })
      if (result.outcome === 'failed') span.fail(result.error)
      return result
    })
  }

  return async function sendDelivery(flight: Flight): Promise<void> {
    const { delivery, startedMs, abandon } = flight
    let result: AttemptResult
    try {
      result = await attemptTraced(flight)
    } catch (error) {
      if (!abandon.signal.aborted) throw error
      onAttempt('released', elapsedSeconds(startedMs))
      const { reason } = abandon.signal
      if (reason !== leaseLost)
        await keep(() => releaseDelivery(database, delivery, { isSlow: reason === yielded }))
      return
    }
    const outcome = await keep(() => finish(delivery, result, now() - startedMs))
    if (outcome) onAttempt(outcome, elapsedSeconds(startedMs))
  }
}
