// POST /notifications on the operators' port: an announcement to everybody.

import Type from 'typebox'
import { time } from '../../contract/member-schemas.ts'
import {
  type Announcement,
  announcementSchema,
  generalChannel,
  notificationMembers,
} from '../../contract/notification.ts'
import { announcedExample } from '../../contract/notification-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { jsonBodies } from '../../http/body/json-bodies.ts'
import { jsonResponse, publicProblemResponses } from '../../http/schemas.ts'
import { cacheControl } from '../../http/security-headers.ts'
import type { AnnouncementRow } from '../statements/write.ts'

export interface Announce {
  announce: (announcement: Announcement) => Promise<AnnouncementRow>
}

const maxBodyBytes = 64 * 1024

export async function announceRoute(scope: App, { announce }: Announce): Promise<void> {
  cacheControl(scope, 'no-store')
  jsonBodies(scope, { maxBytes: maxBodyBytes })
  const { cursor: _cursor, read: _read, data: _data, ...members } = notificationMembers
  const schema = {
    operationId: 'announce',
    tags: ['operations'],
    summary: 'Announce something to all users',
    body: announcementSchema,
    response: {
      201: jsonResponse(Type.Object({ ...members, timestamp: time() }), {
        description: 'The announcement.',
        example: announcedExample,
      }),
      ...publicProblemResponses('VALIDATION_FAILED', 'DATABASE_UNAVAILABLE'),
    },
  }
  scope.post('/notifications', { schema }, async (request, reply) => {
    const given = request.body
    checkActionUrl(given)
    const { id, createdAt } = await announce(given)
    return reply.code(201).send({
      id,
      channel: generalChannel,
      notification_type: given.notification_type,
      title: given.title,
      message: given.message,
      priority: given.priority ?? 'normal',
      category: given.category ?? 'system',
      action_url: given.action_url ?? null,
      action_text: given.action_text ?? null,
      timestamp: createdAt.toISOString(),
    })
  })
}

/** Browsers read a backslash as a slash, so `/\host` would lead elsewhere. */
function checkActionUrl({ action_url: url }: Announcement) {
  if (url === undefined) return
  const isPath = /^\/(?![/\\])/.test(url) && !url.includes('\\')
  const isHttps = /^https:\/\/[^/\\]/i.test(url) && !url.includes('\\') && URL.canParse(url)
  if ((isPath || isHttps) && !/\s/.test(url)) return
  const message = 'must be an https URL, or a path with one leading slash and no backslash'
  throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/action_url', message }] })
}
