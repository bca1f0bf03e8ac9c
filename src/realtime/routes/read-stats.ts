// GET /realtime/stats: on the operators' port, and for signed-in users where that is switched on.

import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponses, publicProblemResponses } from '../../http/schemas.ts'
import { type RealtimeStats, statsExample, statsSchema } from '../stats.ts'

export interface ReadStats {
  readStats: () => Promise<RealtimeStats>
}

/** `isPublic`: without authentication, on the operators' port. */
export function readStatsRoute(app: App, { readStats }: ReadStats, { isPublic = false } = {}) {
  const schema = {
    operationId: 'readRealtimeStats',
    tags: ['operations'],
    summary: 'Read statistics of the real-time connections',
    response: {
      200: jsonResponse(statsSchema, {
        description: 'The connections of this replica, and the runs of the installation.',
        example: statsExample,
      }),
      ...(isPublic ? publicProblemResponses('DATABASE_UNAVAILABLE') : problemResponses()),
    },
  }
  app.get('/realtime/stats', { schema }, async () => readStats())
}
