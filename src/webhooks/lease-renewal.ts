// Renews the leases of the deliveries under way, and ends the attempts whose lease is lost.

import type { Database } from '../database/connection.ts'
import type { Logger } from '../telemetry/logging.ts'
import { leaseLost } from './send-delivery.ts'
import type { Slots } from './slots.ts'
import { renewLeases } from './statements/claim.ts'

export interface LeaseRenewalOptions {
  slots: Slots
  /** A connection that a busy pool cannot delay. */
  renewals: Pick<Database, 'query'>
  leaseMs: number
  logger: Pick<Logger, 'warn'>
}

export function startLeaseRenewal({ slots, renewals, leaseMs, logger }: LeaseRenewalOptions) {
  let renewedMs = slots.now()
  async function renew(): Promise<void> {
    const flights = slots.all()
    const held = new Map(flights.map(({ delivery }) => [delivery.id, delivery.token]))
    if (held.size === 0) {
      renewedMs = slots.now()
      return
    }
    const askedMs = slots.now()
    const kept = await renewLeases(renewals, held, leaseMs)
    renewedMs = askedMs
    for (const { delivery, abandon } of flights) {
      if (!kept.has(delivery.id)) abandon.abort(leaseLost)
    }
  }

  const timer = setInterval(() => {
    renew().catch((error: unknown) => {
      logger.warn({ err: error }, 'renewing the leases of deliveries failed')
      if (slots.now() - renewedMs < leaseMs) return
      for (const { abandon } of slots.all()) abandon.abort(leaseLost)
    })
  }, leaseMs / 3)

  return { stop: () => clearInterval(timer) }
}
