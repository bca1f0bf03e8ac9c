// The Prometheus metrics; docs/ lists them. Labels have few values (routes, stages, outcomes),
// never ids or URLs.

import { Counter, collectDefaultMetrics, Histogram, Registry } from 'prom-client'
import { notificationTypes } from '../contract/notification.ts'
import { addReplicaGauges, createStoredCounts, type MetricSources } from './gauges.ts'

export type Metrics = ReturnType<typeof createMetrics>

export function createMetrics() {
  const registry = new Registry()
  const registers = [registry]
  // Includes nodejs_eventloop_lag_seconds.
  collectDefaultMetrics({ register: registry })
  const counts = createStoredCounts(registers)

  return {
    ...createRequestMetrics(registers),
    ...createRunMetrics(registers),
    ...createMessageMetrics(registers),
    ...createSourceMetrics(registers),
    ...createWebhookMetrics(registers),

    /** Adds the gauges whose values are read at each scrape. */
    addSources(sources: MetricSources): void {
      counts.setSources(sources)
      addReplicaGauges(registers, sources)
    },

    /** The text for a scrape; without `gateway_runs` values while the database is unreachable. */
    async scrape(): Promise<{ contentType: string; body: string }> {
      await counts.read()
      return { contentType: registry.contentType, body: await registry.metrics() }
    },
  }
}

/** Requests of callers, calls to Presenton, refused tokens. */
function createRequestMetrics(registers: Registry[]) {
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
  const refusedTokens = new Counter({
    name: 'gateway_refused_tokens_total',
    help: 'Tokens that were refused, by the class of the reason.',
    labelNames: ['reason'],
    registers,
  })
  return {
    onRequestCompleted({ method, route, status, seconds }: CompletedRequest) {
      request.observe({ method, route, status: String(status) }, seconds)
    },
    onUpstreamCall({ operation, outcome, ms }: UpstreamCall) {
      upstream.observe({ operation, outcome }, ms / 1000)
    },
    onTokensRefused: (reason: string, count = 1) => refusedTokens.inc({ reason }, count),
  }
}

interface CompletedRequest {
  method: string
  route: string
  status: number
  seconds: number
}

interface UpstreamCall {
  operation: string
  outcome: string
  ms: number
}

function createRunMetrics(registers: Registry[]) {
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
  const copied = new Counter({
    name: 'gateway_bytes_copied_total',
    help: 'Bytes of finished files copied into the store.',
    registers,
  })
  return {
    onStage: (name: string, outcome: string, seconds: number) =>
      stage.observe({ stage: name, outcome }, seconds),
    onFirstSlide: (seconds: number) => firstSlide.observe(seconds),
    onBytesCopied: (bytes: number) => copied.inc(bytes),
  }
}

/** Events, WebSocket messages and notifications. */
function createMessageMetrics(registers: Registry[]) {
  const delivered = new Counter({
    name: 'gateway_events_delivered_total',
    help: 'Events sent to subscribers.',
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
  // Prometheus sees an increase only from a known value. So for all counters with fixed labels.
  for (const direction of ['in', 'out']) webSocketMessages.inc({ direction }, 0)
  for (const type of notificationTypes) notifications.inc({ type }, 0)
  return {
    onEventsDelivered: (events: number) => delivered.inc(events),
    onWebSocketMessage: (direction: 'in' | 'out') => webSocketMessages.inc({ direction }),
    onNotification: (type: string) => notifications.inc({ type }),
  }
}

function createSourceMetrics(registers: Registry[]) {
  const uploads = new Counter({
    name: 'gateway_source_uploads_total',
    help: 'Requests that uploaded sources, by outcome: stored, refused or failed.',
    labelNames: ['outcome'],
    registers,
  })
  for (const outcome of ['stored', 'refused', 'failed']) uploads.inc({ outcome }, 0)
  return { onSourceUpload: (outcome: string) => uploads.inc({ outcome }) }
}

function createWebhookMetrics(registers: Registry[]) {
  const attempts = new Counter({
    name: 'gateway_webhook_deliveries_total',
    help: 'Attempts to deliver a message to a webhook, by outcome.',
    labelNames: ['outcome'],
    registers,
  })
  const duration = new Histogram({
    name: 'gateway_webhook_delivery_seconds',
    help: 'Time of one attempt to deliver a message to a webhook.',
    buckets: [0.02, 0.1, 0.3, 1, 3, 5, 10, 15],
    registers,
  })
  for (const outcome of ['delivered', 'retried', 'failed', 'released']) attempts.inc({ outcome }, 0)
  return {
    onWebhookAttempt(outcome: string, seconds: number) {
      attempts.inc({ outcome })
      duration.observe(seconds)
    },
  }
}
