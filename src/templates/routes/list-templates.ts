// GET /templates: the templates that a brief may name.

import { templatesSchema } from '../../contract/template.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { Template } from '../../presenton/template-responses.ts'

export interface ListTemplates {
  /** What the user's account in Presenton may use. */
  listTemplates: (call: { userId: string; signal: AbortSignal }) => Promise<Template[]>
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
  app.get('/templates', { schema }, (request, reply) =>
    listTemplates({ userId: request.caller.userId, signal: disconnectSignal(reply) }),
  )
}
