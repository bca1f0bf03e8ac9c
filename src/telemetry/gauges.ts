// The gauges: values that are read at each scrape.

import { Gauge, type Registry } from 'prom-client'
import { statuses } from '../contract/presentation.ts'

export interface MetricSources {
  countRuns: () => Promise<Record<string, number>>
  openStreams: () => number
  openWebSockets: () => Record<string, number>
  breakerState: () => 'closed' | 'open' | 'half-open'
  pendingDeliveries: () => Promise<number>
}

const breakerStates = ['closed', 'open', 'half-open'] as const

/** Gauges of all replicas: what the database says at a scrape, or nothing while it is away. */
export function createStoredCounts(registers: Registry[]) {
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
  const pendingDeliveries = new Gauge({
    name: 'gateway_webhook_queue_depth',
    help: 'Deliveries of webhooks that have not ended, all replicas.',
    registers,
  })
  let sources: Pick<MetricSources, 'countRuns' | 'pendingDeliveries'> | undefined

  return {
    setSources(given: MetricSources): void {
      sources = given
    },
    async read(): Promise<void> {
      const [counts, pending] = await Promise.all([
        sources?.countRuns().catch(() => undefined),
        sources?.pendingDeliveries().catch(() => undefined),
      ])
      pendingDeliveries.reset()
      if (pending !== undefined) pendingDeliveries.set(pending)
      runs.reset()
      queue.reset()
      if (!counts) return
      for (const status of statuses) runs.set({ status }, counts[status] ?? 0)
      queue.set(counts.queued ?? 0)
    },
  }
}

/** Gauges of this replica: what is open, and the circuit breaker. */
export function addReplicaGauges(registers: Registry[], sources: MetricSources): void {
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
      for (const [kind, open] of Object.entries(sources.openWebSockets())) this.set({ kind }, open)
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
}
