// Sends deliveries: claims what is due, attempts it, records what came of it. Every replica with
// WORKER has one. A crash loses nothing: the lease expires, and another replica sends the message
// again with the same id.

import { jitterMs } from '../async/backoff.ts'
import { sleep, waitAtMost } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database } from '../database/connection.ts'
import type { Logger } from '../telemetry/logging.ts'
import { startLeaseRenewal } from './lease-renewal.ts'
import {
  closeTimeoutMs,
  createSendDelivery,
  released,
  type SendDeliveryOptions,
  yielded,
} from './send-delivery.ts'
import { createSlots, type Flight } from './slots.ts'
import { type ClaimedDelivery, claimDeliveries, countWaiting, hasDue } from './statements/claim.ts'
import { markSlow } from './statements/finish.ts'

export interface SenderOptions extends SendDeliveryOptions {
  /** A connection that a busy pool cannot delay. */
  renewals: Pick<Database, 'query'>
  channels: Pick<Channels, 'subscribe' | 'subscribeMissed' | 'publish'>
  logger: Pick<Logger, 'warn'>
}

const pollMs = 1_000
/** While all slots are taken: slow attempts then make room for others soon. */
const fullPollMs = 100

export function openWebhookSender(options: SenderOptions) {
  const { database, renewals, channels, leaseMs, logger } = options
  const slots = createSlots()
  const sendDelivery = createSendDelivery(options, slots.now)
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
    flight.done = sendDelivery(flight)
      .catch((error: unknown) =>
        // The lease expires, and the message is sent again.
        logger.warn({ err: error, delivery_id: delivery.id }, 'recording a delivery failed'),
      )
      .finally(() => {
        slots.remove(flight)
        wake()
      })
  }

  const renewal = startLeaseRenewal({ slots, renewals, leaseMs, logger })
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
      renewal.stop()
      channels.publish('webhook', {})
    },
  }
}
