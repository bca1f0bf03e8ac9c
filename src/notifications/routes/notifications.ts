// GET /notifications, PATCH and DELETE /notifications/{id}, POST /notifications/read: the caller's
// notifications, without a connection.

import Type from 'typebox'
import {
  type Notification,
  notificationPageSchema,
  notificationRef,
  unreadSchema,
} from '../../contract/notification.ts'
import {
  notificationExample,
  notificationPageExample,
} from '../../contract/notification-examples.ts'
import { parseId } from '../../domain/ids.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { decodeCursor, encodeCursor } from '../../http/list-cursor.ts'
import {
  emptyResponse,
  idParams,
  jsonResponse,
  problemResponses,
  problemResponsesOfWrite,
} from '../../http/schemas.ts'
import type { NotificationCommands } from '../commands.ts'
import type { ListQuery, PlacedNotification } from '../statements/list.ts'
import type { NotificationView } from '../view.ts'

export interface NotificationRoutes {
  commands: NotificationCommands
  list: (query: ListQuery) => Promise<PlacedNotification[]>
  countUnread: (userId: string) => Promise<number>
  view: NotificationView
}

const defaultLimit = 20
const tags = ['notifications']

export function notificationRoutes(app: App, routes: NotificationRoutes): void {
  listRoute(app, routes)
  markReadRoute(app, routes)
  markAllReadRoute(app, routes)
  deleteRoute(app, routes)
}

function listRoute(app: App, { list, countUnread, view }: NotificationRoutes) {
  const schema = {
    operationId: 'listNotifications',
    tags,
    summary: 'List your notifications, newest first',
    querystring: Type.Object({
      unread: Type.Optional(
        Type.Unsafe<'true' | 'false'>({
          type: 'string',
          enum: ['true', 'false'],
          description: '`true`: only unread ones.',
        }),
      ),
      limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, default: defaultLimit })),
      cursor: Type.Optional(
        Type.String({ maxLength: 200, description: '`next_cursor` of the previous page.' }),
      ),
    }),
    response: {
      200: jsonResponse(notificationPageSchema, {
        description: 'One page.',
        example: notificationPageExample,
      }),
      ...problemResponses(),
    },
  }
  app.get('/notifications', { schema }, async (request) => {
    const { userId } = request.caller
    const { unread, limit = defaultLimit, cursor } = request.query
    const after = cursor === undefined ? undefined : decodeCursor(cursor)
    // One more row than the limit says whether there is a next page.
    const rows = await list({ userId, isUnread: unread === 'true', limit: limit + 1, after })
    const page = rows.slice(0, limit)
    const last = page.at(-1)
    return {
      items: page.map((row) => view(row, { userId, position: row.position })),
      next_cursor: last && rows.length > limit ? encodeCursor(last) : null,
      unread: await countUnread(userId),
    }
  })
}

function markReadRoute(app: App, { commands, view }: NotificationRoutes) {
  const schema = {
    operationId: 'markNotificationRead',
    tags,
    summary: 'Mark one notification as read',
    params: idParams,
    body: Type.Object(
      { read: Type.Literal(true) },
      { additionalProperties: false, examples: [{ read: true }] },
    ),
    response: {
      200: jsonResponse(notificationRef, {
        description: 'The notification, marked as read.',
        example: { ...notificationExample, read: true },
      }),
      ...problemResponsesOfWrite('NOT_FOUND'),
    },
  }
  app.patch('/notifications/:id', { schema }, async (request): Promise<Notification> => {
    const { userId } = request.caller
    const { found } = await commands.markRead({ userId, id: request.params.id })
    return view({ ...found, read: true }, { userId, position: found.position })
  })
}

function markAllReadRoute(app: App, { commands }: NotificationRoutes) {
  const schema = {
    operationId: 'markNotificationsRead',
    tags,
    summary: 'Mark all notifications up to one as read',
    body: Type.Object(
      { up_to: Type.String({ description: 'The id of a notification.' }) },
      { additionalProperties: false, examples: [{ up_to: notificationExample.id }] },
    ),
    response: {
      200: jsonResponse(unreadSchema, {
        description: 'How many are left.',
        example: { unread: 0 },
      }),
      ...problemResponsesOfWrite('NOT_FOUND'),
    },
  }
  app.post('/notifications/read', { schema }, async (request) => {
    const id = parseId(request.body.up_to)
    if (id === undefined) throw new Problem('NOT_FOUND')
    const { unread } = await commands.markReadUpTo({ userId: request.caller.userId, id })
    return { unread }
  })
}

function deleteRoute(app: App, { commands }: NotificationRoutes) {
  const schema = {
    operationId: 'removeNotification',
    tags,
    summary: 'Delete one notification',
    description: 'An announcement is hidden for you only.',
    params: idParams,
    response: { 204: emptyResponse('Deleted.'), ...problemResponsesOfWrite('NOT_FOUND') },
  }
  app.delete('/notifications/:id', { schema }, async (request, reply) => {
    await commands.remove({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}
