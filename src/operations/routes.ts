// Health and metrics, for operators. They need no authentication, so they must hold no secret.
import type { App } from '../http/base.ts'
import { cacheControl } from '../http/security-headers.ts'
import { type HealthRoutes, healthRoutes } from './routes/health.ts'
import { type MetricsRoute, metricsRoute } from './routes/metrics.ts'

export interface OperationsRoutes extends HealthRoutes, MetricsRoute {}

export async function operationsRoutes(
  scope: App,
  { health, metrics }: OperationsRoutes,
): Promise<void> {
  cacheControl(scope, 'no-store')
  healthRoutes(scope, { health })
  metricsRoute(scope, { metrics })
}
