// GET /webhooks/{id}/deliveries, POST /webhooks/{id}/test and …/deliveries/{delivery_id}/redeliver.

import Type from 'typebox'
import {
  deliveryAcceptedSchema,
  deliveryPageSchema,
  deliveryStatusSchema,
} from '../../contract/webhook.ts'
import { deliveryExample } from '../../contract/webhook-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { decodeCursor, encodeCursor } from '../../http/list-cursor.ts'
import {
  idParams,
  jsonResponse,
  problemResponses,
  problemResponsesOfWrite,
} from '../../http/schemas.ts'
import type { WebhookCommands } from '../commands.ts'
import type { DeliveryRow, ListQuery } from '../statements/deliveries.ts'
import type { OwnWebhook, WebhookRow } from '../statements/webhooks.ts'
import { deliveryView } from '../view.ts'

export interface DeliveryRoutes {
  commands: WebhookCommands
  find: (own: OwnWebhook) => Promise<WebhookRow | undefined>
  listDeliveries: (query: ListQuery) => Promise<DeliveryRow[]>
}

const defaultLimit = 20
const tags = ['webhooks']

export function deliveryRoutes(app: App, routes: DeliveryRoutes): void {
  testRoute(app, routes)
  listRoute(app, routes)
  redeliverRoute(app, routes)
}

const accepted = () =>
  jsonResponse(deliveryAcceptedSchema, {
    description: 'It will be sent.',
    example: { delivery_id: deliveryExample.id },
  })

function testRoute(app: App, { commands }: DeliveryRoutes) {
  const schema = {
    operationId: 'testWebhook',
    tags,
    summary: 'Send a test message',
    description: 'A message of type `test`, for any events of the webhook.',
    params: idParams,
    response: { 202: accepted(), ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT') },
  }
  app.post('/webhooks/:id/test', { schema }, async (request, reply) => {
    const own = { userId: request.caller.userId, id: request.params.id }
    return reply.code(202).send({ delivery_id: await commands.test(own) })
  })
}

function listRoute(app: App, { find, listDeliveries }: DeliveryRoutes) {
  const schema = {
    operationId: 'listWebhookDeliveries',
    tags,
    summary: 'List the deliveries of a webhook, newest first',
    description: 'A delivery is kept for 7 days from its end.',
    params: idParams,
    querystring: Type.Object({
      status: Type.Optional(deliveryStatusSchema),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: defaultLimit })),
      cursor: Type.Optional(
        Type.String({ maxLength: 200, description: '`next_cursor` of the previous page.' }),
      ),
    }),
    response: {
      200: jsonResponse(deliveryPageSchema, {
        description: 'One page.',
        example: { items: [deliveryExample], next_cursor: null },
      }),
      ...problemResponses('NOT_FOUND'),
    },
  }
  app.get('/webhooks/:id/deliveries', { schema }, async (request) => {
    const { status, limit = defaultLimit, cursor } = request.query
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    const webhook = await find({ userId: request.caller.userId, id: request.params.id })
    if (!webhook) throw new Problem('NOT_FOUND')
    // One more row than the limit says whether there is a next page.
    const query = { webhookId: webhook.id, status, limit: limit + 1, after }
    const rows = await listDeliveries(query)
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map(deliveryView),
      next_cursor: last && rows.length > limit ? encodeCursor(last) : null,
    }
  })
}

const deliveryParams = Type.Object({
  ...idParams.properties,
  delivery_id: idParams.properties.id,
})

function redeliverRoute(app: App, { commands }: DeliveryRoutes) {
  const schema = {
    operationId: 'redeliverWebhook',
    tags,
    summary: 'Send a message once more',
    description:
      'The same message with the same `webhook-id`; its retries start from the beginning.',
    params: deliveryParams,
    response: { 202: accepted(), ...problemResponsesOfWrite('NOT_FOUND', 'CONFLICT') },
  }
  const url = '/webhooks/:id/deliveries/:delivery_id/redeliver'
  app.post(url, { schema }, async (request, reply) => {
    const { id } = request.params
    const deliveryId = request.params.delivery_id.toLowerCase()
    await commands.redeliver({ userId: request.caller.userId, id }, deliveryId)
    return reply.code(202).send({ delivery_id: deliveryId })
  })
}
