// GET /health/live: whether the process runs. GET /health and /health/ready: whether it can serve
// requests, and the state of the services it uses.

import Type from 'typebox'
import type { App } from '../../http/base.ts'
import { jsonResponse, publicProblemResponses } from '../../http/schemas.ts'

const healthSchema = Type.Object(
  {
    status: Type.Unsafe<'ok' | 'degraded' | 'down'>({
      type: 'string',
      enum: ['ok', 'degraded', 'down'],
    }),
    version: Type.String(),
    commit: Type.Union([Type.String(), Type.Null()]),
    checks: Type.Record(Type.String(), Type.Unknown(), {
      description: 'The services it uses (database, storage, presenton) and its memory, in bytes.',
    }),
  },
  { title: 'Health' },
)

export interface Health {
  status: 'ok' | 'degraded' | 'down'
  version: string
  commit: string | null
  checks: Record<string, unknown>
}

const healthExample: Health = {
  status: 'ok',
  version: '1.0.0',
  commit: null,
  checks: {
    database: { status: 'ok' },
    storage: { status: 'ok' },
    presenton: { status: 'ok', circuit: 'closed' },
    memory: { status: 'ok', used: 183_500_800, limit: 2_147_483_648 },
  },
}

export interface HealthRoutes {
  health: () => Promise<Health>
}

export function healthRoutes(app: App, { health }: HealthRoutes) {
  const live = {
    operationId: 'readLiveness',
    tags: ['operations'],
    summary: 'Check that the process runs',
    response: {
      200: jsonResponse(Type.Object({ status: Type.Literal('ok') }), {
        description: 'The process runs.',
        example: { status: 'ok' },
      }),
      ...publicProblemResponses(),
    },
  }
  app.get('/health/live', { schema: live }, async () => {
    return { status: 'ok' as const }
  })

  for (const [url, operationId] of [
    ['/health', 'readHealth'],
    ['/health/ready', 'readReadiness'],
  ] as const) {
    const ready = {
      operationId,
      tags: ['operations'],
      summary: 'Check that requests can be served',
      // 503 has the same body and no problem document, so that operators see which service is down.
      response: {
        200: jsonResponse(healthSchema, {
          description: 'Requests can be served.',
          example: healthExample,
        }),
        503: jsonResponse(healthSchema, {
          description: 'They cannot: the database is away, or the service shuts down.',
          example: { ...healthExample, status: 'down' },
        }),
        ...publicProblemResponses(),
      },
    }
    app.get(url, { schema: ready }, async (_request, reply) => {
      const state = await health()
      if (state.status === 'down') return reply.code(503).header('retry-after', '5').send(state)
      return reply.code(200).send(state)
    })
  }
}
