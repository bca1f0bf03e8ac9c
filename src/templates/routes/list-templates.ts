// GET /templates: the templates that a brief may name.

import { templatesSchema } from '../../contract/template.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import { sharedAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'

export interface ListTemplates {
  listTemplates: Presenton['listTemplates']
}

export function listTemplatesRoute(app: App, { listTemplates }: ListTemplates) {
  const schema = {
    operationId: 'listTemplates',
    tags: ['templates'],
    summary: 'List the templates',
    response: {
      200: jsonResponse(templatesSchema, {
        description: 'The templates.',
        example: [
          { id: 'general', name: 'General', description: 'For any topic.', layout_count: 12 },
        ],
      }),
      ...problemResponses(
        'UPSTREAM_ERROR',
        'UPSTREAM_UNAVAILABLE',
        'UPSTREAM_TIMEOUT',
        'UPSTREAM_REJECTED',
      ),
    },
  }
  app.get('/templates', { schema }, (_request, reply) =>
    listTemplates({ account: sharedAccount, signal: disconnectSignal(reply) }),
  )
}
