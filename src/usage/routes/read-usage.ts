// GET /usage: how much of each quota the caller has used.

import { usageExample, usageSchema } from '../../contract/usage.ts'
import type { App } from '../../http/base.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { Usage } from '../read-usage.ts'
import { usageView } from '../view.ts'

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

  app.get('/usage', { schema }, async (request) =>
    usageView(await readUsage(request.caller.userId)),
  )
}
