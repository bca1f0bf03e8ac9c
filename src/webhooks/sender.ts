// Sends deliveries: claims what is due, attempts it, records what came of it. Every replica with
// WORKER has one. A crash loses nothing: the lease expires, and another replica sends the message
// again with the same id.

import { jitterMs } from '../async/backoff.ts'
import { sleep, waitAtMost } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import { retryDuringOutage } from '../database/outages.ts'
import type { Logger } from '../telemetry/logging.ts'
import { inOwnSpan } from '../telemetry/traces/span.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import type { Attempt, AttemptResult } from './attempt.ts'
import { type RetryRules, retryMsAfter } from './retry-delay.ts'
import { createSlots, type Flight } from './slots.ts'
import {
  type ClaimedDelivery,
  claimDeliveries,
  countWaiting,
  hasDue,
  renewLeases,
} from './statements/claim.ts'
import {
  type DisableRules,
  finishDelivered,
  finishFailed,
  markSlow,
  releaseDelivery,
} from './statements/finish.ts'

export type DeliveryOutcome = 'delivered' | 'retried' | 'failed' | 'released'

export interface SenderOptions extends RetryRules {
  database: Pick<Database, 'query' | 'transaction'>
  /** A connection that a busy pool cannot delay. */
  renewals: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed' | 'publish'>
  attempt: Attempt
  leaseMs: number
  disableRules: DisableRules
  logger: Pick<Logger, 'warn'>
  onAttempt: (outcome: DeliveryOutcome, seconds: number) => void
  tracer?: Tracer | undefined
}

const pollMs = 1_000
/** While all slots are taken: slow attempts then make room for others soon. */
const fullPollMs = 100
const closeTimeoutMs = 3_000

// Reasons of aborted attempts.
const yielded = Symbol('others wait')
const released = Symbol('the replica shuts down')
const leaseLost = Symbol('lease lost')

export function openWebhookSender(options: SenderOptions) {
  const { database, renewals, channels, attempt, leaseMs, logger, onAttempt, tracer } = options
  const slots = createSlots()
  const closing = new AbortController()
  let isWoken = false
  let wakeUp: () => void = () => undefined

  function wake() {
    isWoken = true
    wakeUp()
  }
  const unsubscribe = [channels.subscribe('webhook', wake), channels.subscribeMissed(wake)]

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      isWoken = false
      try {
        if (slots.isFull()) await makeRoom()
        await claim()
      } catch (error) {
        if (!closing.signal.aborted) logger.warn({ err: error }, 'claiming deliveries failed')
      }
      const pause = new AbortController()
      wakeUp = () => pause.abort()
      if (isWoken && !slots.isFull()) continue
      const waitMs = slots.isFull() ? fullPollMs : jitterMs(pollMs)
      await sleep(waitMs, pause.signal).catch(() => undefined)
    }
  }

  async function claim(): Promise<void> {
    const free = slots.free()
    if (free.fast === 0 || !(await hasDue(database))) return
    for (const delivery of await claimDeliveries(database, { leaseMs, ...free })) start(delivery)
  }

  async function makeRoom(): Promise<void> {
    if (slots.makeRoom(1).end.length === 0) return
    const { stay, end } = slots.makeRoom(await countWaiting(database, slots.all().length))
    for (const flight of stay) flight.isSlow = true
    for (const { delivery } of stay) {
      await database.transaction((client) => markSlow(client, delivery.webhookId))
    }
    for (const flight of end) flight.abandon.abort(yielded)
    await Promise.all(end.map(({ done }) => done))
  }

  function start(delivery: ClaimedDelivery) {
    const flight: Flight = {
      delivery,
      startedMs: slots.now(),
      isSlow: delivery.isSlow,
      abandon: new AbortController(),
      done: Promise.resolve(),
    }
    slots.add(flight)
    flight.done = fly(flight)
      .catch((error: unknown) =>
        // The lease expires, and the message is sent again.
        logger.warn({ err: error, delivery_id: delivery.id }, 'recording a delivery failed'),
      )
      .finally(() => {
        slots.remove(flight)
        wake()
      })
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

  async function fly(flight: Flight): Promise<void> {
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
    const outcome = await keep(() => finish(delivery, result, slots.now() - startedMs))
    if (outcome) onAttempt(outcome, elapsedSeconds(startedMs))
  }

  const elapsedSeconds = (startedMs: number) => (slots.now() - startedMs) / 1000

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

  const renewal = setInterval(() => {
    renew().catch((error: unknown) => {
      logger.warn({ err: error }, 'renewing the leases of deliveries failed')
      if (slots.now() - renewedMs < leaseMs) return
      for (const { abandon } of slots.all()) abandon.abort(leaseLost)
    })
  }, leaseMs / 3)

  const running = run()

  return {
    /** Stops claiming. Attempts under way may end within `graceMs`; the rest is given back. */
    async close(graceMs: number): Promise<void> {
      closing.abort()
      wake()
      for (const stop of unsubscribe) stop()
      await waitAtMost(closeTimeoutMs, running)
      await waitAtMost(graceMs, Promise.all(slots.all().map(({ done }) => done)))
      const rest = slots.all()
      for (const { abandon } of rest) abandon.abort(released)
      await waitAtMost(closeTimeoutMs, Promise.all(rest.map(({ done }) => done)))
      clearInterval(renewal)
      channels.publish('webhook', {})
    },
  }
}
