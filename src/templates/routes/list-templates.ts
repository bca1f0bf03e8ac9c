// GET /templates: what a brief may name as its template.

import Type from 'typebox'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { problemResponses } from '../../http/schemas.ts'
import { type CallOptions, sharedAccount } from '../../presenton/account.ts'

export interface Template {
  id: string
  name: string
  description: string
  layout_count: number
}

export interface ListTemplates {
  listTemplates: (call: CallOptions) => Promise<Template[]>
}

const templateSchema = Type.Object(
  {
    id: Type.String(),
    name: Type.String(),
    description: Type.String(),
    layout_count: Type.Integer({ minimum: 0 }),
  },
  { title: 'Template' },
)

export function listTemplatesRoute(app: App, { listTemplates }: ListTemplates) {
  const schema = {
    operationId: 'listTemplates',
    tags: ['templates'],
    summary: 'List the templates',
    response: {
      200: Type.Array(templateSchema),
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
