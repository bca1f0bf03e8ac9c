// A world whose gateways send traces to a collector.

import { vi } from 'vitest'
import { type Collector, openCollector, type ReceivedSpan } from '../sandbox/trace-collector.ts'
import { waitFor } from '../sandbox/wait-for.ts'
import { openWorld, type World, type WorldOptions } from './world.ts'

export type TraceWorld = Awaited<ReturnType<typeof openTraceWorld>>

export async function openTraceWorld({ env, ...options }: WorldOptions = {}) {
  const collector: Collector = await openCollector()
  // The SDK reads these variables by itself.
  vi.stubEnv('OTEL_BSP_SCHEDULE_DELAY', collector.env.OTEL_BSP_SCHEDULE_DELAY)
  const world: World = await openWorld({ ...options, env: { ...collector.env, ...env } })
  return {
    world,
    collector,
    /** The spans of this kind, once there are `count`. */
    waitForSpans: (matches: (span: ReceivedSpan) => boolean, count = 1) =>
      waitFor(
        () => {
          const found = collector.spans().filter(matches)
          if (found.length < count) throw new Error(`${found.length} of ${count} spans`)
          return found
        },
        { timeout: 60_000 },
      ),
    async close() {
      await world.close()
      await collector.close()
      vi.unstubAllEnvs()
    },
  }
}

export const parentContext = {
  traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
  spanId: '00f067aa0ba902b7',
}
export const traceparent = (flags = '01') =>
  `00-${parentContext.traceId}-${parentContext.spanId}-${flags}`
