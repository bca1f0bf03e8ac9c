// GET /metrics, for Prometheus; see telemetry/metrics.ts.

import Type from 'typebox'
import type { App } from '../../http/base.ts'
import { mediaResponse, publicProblemResponses } from '../../http/schemas.ts'

export interface MetricsRoute {
  metrics: () => Promise<{ contentType: string; body: string }>
}

export function metricsRoute(app: App, { metrics }: MetricsRoute) {
  const schema = {
    operationId: 'readMetrics',
    tags: ['operations'],
    summary: 'Read the metrics in the Prometheus format',
    response: {
      200: mediaResponse('text/plain', Type.String(), { description: 'Metrics.' }),
      ...publicProblemResponses(),
    },
  }
  app.get('/metrics', { schema }, async (_request, reply) => {
    const { contentType, body } = await metrics()
    return reply.type(contentType).send(body)
  })
}
