// GET /usage: how much of each quota the caller has used.

import { usageExample, usageSchema } from '../../contract/usage.ts'
import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { Allowance, Usage } from '../read-usage.ts'

export interface ReadUsage {
  readUsage: (userId: string) => Promise<Usage>
}

export function readUsageRoute(app: App, { readUsage }: ReadUsage) {
  const schema = {
    operationId: 'readUsage',
    tags: ['usage'],
    summary: 'Read how much of your quotas is used',
    response: {
      200: jsonResponse(usageSchema, { description: 'Your quotas.', example: usageExample }),
      ...problemResponses(),
    },
  }

  app.get('/usage', { schema }, async (request) => {
    const { perHour, perDay, total, totalSlides } = await readUsage(request.caller.userId)
    return {
      per_hour: allowance(perHour),
      per_day: allowance(perDay),
      total: allowance(total),
      total_slides: allowance(totalSlides),
    }
  })
}

function allowance({ limit, used, remaining, resetsAt }: Allowance) {
  return { limit, used, remaining, resets_at: resetsAt?.toISOString() ?? null }
}
