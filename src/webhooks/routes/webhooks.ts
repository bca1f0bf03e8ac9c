// POST and GET /webhooks; GET, PATCH and DELETE /webhooks/{id}; POST /webhooks/{id}/secret.

import {
  createdWebhookSchema,
  newWebhookSchema,
  secretResponseSchema,
  webhookChangesSchema,
  webhookListSchema,
  webhookSchema,
} from '../../contract/webhook.ts'
import { secretExample, webhookExample } from '../../contract/webhook-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import {
  acceptedHeaders,
  idempotencyHeaders,
  readIdempotency,
  sendStoredResponse,
} from '../../http/idempotency.ts'
import {
  emptyResponse,
  idParams,
  jsonResponse,
  problemResponses,
  problemResponsesOfWrite,
} from '../../http/schemas.ts'
import type { WebhookCommands } from '../commands.ts'
import type { OwnWebhook, WebhookRow } from '../statements/webhooks.ts'
import { webhookView } from '../view.ts'

export interface WebhookRoutes {
  commands: WebhookCommands
  find: (own: OwnWebhook) => Promise<WebhookRow | undefined>
  list: (userId: string) => Promise<WebhookRow[]>
  /** The address of a webhook. */
  locate: (id: string) => string
}

const tags = ['webhooks']

export function webhookRoutes(app: App, routes: WebhookRoutes): void {
  createRoute(app, routes)
  listRoute(app, routes)
  readRoute(app, routes)
  updateRoute(app, routes)
  deleteRoute(app, routes)
  rotateRoute(app, routes)
}

function createRoute(app: App, { commands, locate }: WebhookRoutes) {
  const schema = {
    operationId: 'createWebhook',
    tags,
    summary: 'Add a webhook',
    description: 'The secret is shown this once. A repeated request gets the response without it.',
    openapi: { headers: idempotencyHeaders },
    body: {
      ...newWebhookSchema,
      examples: [
        { url: webhookExample.url, events: ['presentation.completed', 'presentation.failed'] },
      ],
    },
    response: {
      201: jsonResponse(createdWebhookSchema, {
        description: 'Added.',
        example: { ...webhookExample, secret: secretExample },
        ...acceptedHeaders,
      }),
      ...problemResponsesOfWrite(
        'CONFLICT',
        'NOT_SUPPORTED',
        'WEBHOOK_REJECTED',
        'IDEMPOTENCY_KEY_REUSED',
        'QUOTA_EXHAUSTED',
      ),
    },
  }
  app.post('/webhooks', { schema }, async (request, reply) => {
    const { userId } = request.caller
    const idempotency = readIdempotency(request)
    const given = request.body
    return sendStoredResponse(reply, await commands.create({ userId, given, idempotency, locate }))
  })
}

function listRoute(app: App, { list }: WebhookRoutes) {
  const schema = {
    operationId: 'listWebhooks',
    tags,
    summary: 'List your webhooks, newest first',
    response: {
      200: jsonResponse(webhookListSchema, {
        description: 'All of them.',
        example: { items: [webhookExample] },
      }),
      ...problemResponses(),
    },
  }
  app.get('/webhooks', { schema }, async (request) => ({
    items: (await list(request.caller.userId)).map(webhookView),
  }))
}

function readRoute(app: App, { find }: WebhookRoutes) {
  const schema = {
    operationId: 'readWebhook',
    tags,
    summary: 'Read a webhook',
    params: idParams,
    response: {
      200: jsonResponse(webhookSchema, { description: 'The webhook.', example: webhookExample }),
      ...problemResponses('NOT_FOUND'),
    },
  }
  app.get('/webhooks/:id', { schema }, async (request) => {
    const row = await find({ userId: request.caller.userId, id: request.params.id })
    if (!row) throw new Problem('NOT_FOUND')
    return webhookView(row)
  })
}

function updateRoute(app: App, { commands }: WebhookRoutes) {
  const schema = {
    operationId: 'updateWebhook',
    tags,
    summary: 'Change a webhook, or enable it again',
    params: idParams,
    body: { ...webhookChangesSchema, examples: [{ enabled: true }] },
    response: {
      200: jsonResponse(webhookSchema, {
        description: 'The webhook as it is now.',
        example: webhookExample,
      }),
      ...problemResponsesOfWrite('NOT_FOUND', 'WEBHOOK_REJECTED'),
    },
  }
  app.patch('/webhooks/:id', { schema }, async (request) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    return webhookView(await commands.update(own, request.body))
  })
}

function deleteRoute(app: App, { commands }: WebhookRoutes) {
  const schema = {
    operationId: 'removeWebhook',
    tags,
    summary: 'Delete a webhook and its deliveries',
    params: idParams,
    response: { 204: emptyResponse('Deleted.'), ...problemResponsesOfWrite('NOT_FOUND') },
  }
  app.delete('/webhooks/:id', { schema }, async (request, reply) => {
    await commands.remove({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}

function rotateRoute(app: App, { commands }: WebhookRoutes) {
  const schema = {
    operationId: 'rotateWebhookSecret',
    tags,
    summary: 'Replace the secret of a webhook',
    description: 'For 24 hours each delivery is signed with the earlier secret, too.',
    params: idParams,
    response: {
      200: jsonResponse(secretResponseSchema, {
        description: 'The new secret, which is shown this once.',
        example: { secret: secretExample },
      }),
      ...problemResponsesOfWrite('NOT_FOUND', 'NOT_SUPPORTED'),
    },
  }
  app.post('/webhooks/:id/secret', { schema }, async (request) => ({
    secret: await commands.rotateSecret({
      userId: request.caller.userId,
      id: request.params.id,
    }),
  }))
}
