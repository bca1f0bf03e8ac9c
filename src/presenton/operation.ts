// One operation of the adapter: measured once, and performed by the features of the upstream that
// responds.

import type { CallMetrics } from './call-metrics.ts'
import type { Features } from './dialect.ts'
import type { Probe } from './probe.ts'

export type PerformOperation = ReturnType<typeof createPerformOperation>

export function createPerformOperation(metrics: CallMetrics, probe: Probe) {
  return <T>(
    { operation, signal }: { operation: string; signal: AbortSignal },
    act: (features: Features) => Promise<T>,
  ): Promise<T> => metrics.measure(operation, () => probe.withFeatures(signal, act))
}
