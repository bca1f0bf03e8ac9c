// The Prometheus metrics; docs/ lists them. Labels have few values (routes, stages, outcomes),
// never ids or URLs.

import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client'
import { notificationTypes } from '../contract/notification.ts'
import { statuses } from '../contract/presentation.ts'

export type Metrics = ReturnType<typeof createMetrics>

/** Values that are read at each scrape. */
export interface MetricSources {
  countRuns: () => Promise<Record<string, number>>
  openStreams: () => number
  openWebSockets: () => Record<string, number>
  breakerState: () => 'closed' | 'open' | 'half-open'
  pendingDeliveries: () => Promise<number>
}

const breakerStates = ['closed', 'open', 'half-open'] as const

export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  // Includes nodejs_eventloop_lag_seconds.
  collectDefaultMetrics({ register: registry })

  const request = new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Time until the response was sent completely, by route.',
    labelNames: ['method', 'route', 'status'],
    buckets: [0.005, 0.02, 0.05, 0.1, 0.3, 0.8, 2, 10, 60],
    registers,
  })
  const upstream = new Histogram({
    name: 'presenton_request_duration_seconds',
    help: 'Time of a call to Presenton, by operation and outcome.',
    labelNames: ['operation', 'outcome'],
    buckets: [0.05, 0.3, 1, 5, 15, 60, 180, 600, 1800],
    registers,
  })
  const stage = new Histogram({
    name: 'gateway_stage_duration_seconds',
    help: 'Time of one attempt at a stage.',
    labelNames: ['stage', 'outcome'],
    buckets: [0.1, 0.5, 2, 10, 30, 60, 180, 600, 1800],
    registers,
  })
  const firstSlide = new Histogram({
    name: 'gateway_time_to_first_slide_seconds',
    help: 'From the start of the slides stage to its first slide.',
    buckets: [0.5, 1, 2, 5, 10, 20, 60, 180, 600],
    registers,
  })
  const delivered = new Counter({
    name: 'gateway_events_delivered_total',
    help: 'Events sent to subscribers.',
    registers,
  })
  const copied = new Counter({
    name: 'gateway_bytes_copied_total',
    help: 'Bytes of finished files copied into the store.',
    registers,
  })
  const webSocketMessages = new Counter({
    name: 'gateway_websocket_messages_total',
    help: 'Messages over WebSockets, by direction: in (from clients) and out.',
    labelNames: ['direction'],
    registers,
  })
  const notifications = new Counter({
    name: 'gateway_notifications_total',
    help: 'Notifications that this replica wrote, by type.',
    labelNames: ['type'],
    registers,
  })
  // Prometheus sees an increase only from a known value.
  for (const direction of ['in', 'out']) webSocketMessages.inc({ direction }, 0)
  for (const type of notificationTypes) notifications.inc({ type }, 0)
  const sourceUploads = new Counter({
    name: 'gateway_source_uploads_total',
    help: 'Requests that uploaded sources, by outcome: stored, refused or failed.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['stored', 'refused', 'failed']) sourceUploads.inc({ outcome }, 0)
  const runs = new Gauge({
    name: 'gateway_runs',
    help: 'Presentations by status, all replicas; finished ones are counted from time to time.',
    labelNames: ['status'],
    registers,
  })
  const queue = new Gauge({
    name: 'gateway_queue_depth',
    help: 'Presentations that wait for a slot, all replicas.',
    registers,
  })
  const refusedTokens = new Counter({
    name: 'gateway_refused_tokens_total',
    help: 'Tokens that were refused, by the class of the reason.',
    labelNames: ['reason'],
    registers,
  })
  const deliveries = new Counter({
    name: 'gateway_webhook_deliveries_total',
    help: 'Attempts to deliver a message to a webhook, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['delivered', 'retried', 'failed', 'released'])
    deliveries.inc({ outcome }, 0)
  const deliveryTime = new Histogram({
    name: 'gateway_webhook_delivery_seconds',
    help: 'Time of one attempt to deliver a message to a webhook.',
    buckets: [0.02, 0.1, 0.3, 1, 3, 5, 10, 15],
    registers,
  })
  const pendingDeliveries = new Gauge({
    name: 'gateway_webhook_queue_depth',
    help: 'Deliveries of webhooks that have not ended, all replicas.',
    registers,
  })
  let countPending: MetricSources['pendingDeliveries'] | undefined
  let countRuns: MetricSources['countRuns'] | undefined

  return {
    onRequestCompleted: ({
      method,
      route,
      status,
      seconds,
    }: {
      method: string
      route: string
      status: number
      seconds: number
    }) => request.observe({ method, route, status: String(status) }, seconds),
    onUpstreamCall: ({
      operation,
      outcome,
      ms,
    }: {
      operation: string
      outcome: string
      ms: number
    }) => upstream.observe({ operation, outcome }, ms / 1000),
    onStage: (name: string, outcome: string, seconds: number) =>
      stage.observe({ stage: name, outcome }, seconds),
    onFirstSlide: (seconds: number) => firstSlide.observe(seconds),
    onEventsDelivered: (events: number) => delivered.inc(events),
    onBytesCopied: (bytes: number) => copied.inc(bytes),
    onTokensRefused: (reason: string, count = 1) => refusedTokens.inc({ reason }, count),
    onNotification: (type: string) => notifications.inc({ type }),
    onWebhookAttempt(outcome: string, seconds: number) {
      deliveries.inc({ outcome })
      deliveryTime.observe(seconds)
    },
    onSourceUpload: (outcome: string) => sourceUploads.inc({ outcome }),
    onWebSocketMessage: (direction: 'in' | 'out') => webSocketMessages.inc({ direction }),
    /** Adds the gauges whose values are read at each scrape. */
    addSources(sources: MetricSources): void {
      countRuns = sources.countRuns
      countPending = sources.pendingDeliveries
      new Gauge({
        name: 'gateway_open_streams',
        help: 'Open event streams of this replica.',
        registers,
        collect() {
          this.set(sources.openStreams())
        },
      })
      new Gauge({
        name: 'gateway_websockets',
        help: 'Open WebSockets of this replica, by kind.',
        labelNames: ['kind'],
        registers,
        collect() {
          for (const [kind, open] of Object.entries(sources.openWebSockets()))
            this.set({ kind }, open)
        },
      })
      new Gauge({
        name: 'gateway_breaker_state',
        help: 'Circuit breaker of Presenton: 1 for its current state.',
        labelNames: ['state'],
        registers,
        collect() {
          for (const state of breakerStates)
            this.set({ state }, state === sources.breakerState() ? 1 : 0)
        },
      })
    },

    /** The text for a scrape; without `gateway_runs` values while the database is unreachable. */
    async scrape(): Promise<{ contentType: string; body: string }> {
      const [counts, pending] = await Promise.all([
        countRuns?.().catch(() => undefined),
        countPending?.().catch(() => undefined),
      ])
      pendingDeliveries.reset()
      if (pending !== undefined) pendingDeliveries.set(pending)
      runs.reset()
      queue.reset()
      if (counts) {
        for (const status of statuses) runs.set({ status }, counts[status] ?? 0)
        queue.set(counts.queued ?? 0)
      }
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}
