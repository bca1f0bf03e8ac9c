// The messages of the real-time connections (WebSocket and SSE). A new message is one entry here:
// its static type, its OpenAPI schema (realtime.ts) and its documented example follow from it.

import Type, { type TProperties } from 'typebox'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'
import { notificationMembers } from './notification.ts'
import { runErrorSchema, statusSchema } from './presentation.ts'
import { stages } from './stages.ts'

export interface MessageDefinition {
  description: string
  /** The members beside `type`, `request_id` and `timestamp`. */
  members: TProperties
  example: object
}

/** The codes of `error` messages. TOO_MANY_SUBSCRIPTIONS exists in messages only. */
export const messageErrorCodes = [
  'AUTHENTICATION_FAILED',
  'TOKEN_EXPIRED',
  'NOT_FOUND',
  'RATE_LIMIT_EXCEEDED',
  'VALIDATION_FAILED',
  'TOO_MANY_SUBSCRIPTIONS',
  'INTERNAL_ERROR',
] as const
export type MessageErrorCode = (typeof messageErrorCodes)[number]

const exampleId = '7e0c5b0e-5f0a-4c7e-9a53-6a6f1f0a1b2c'
const jobId = { job_id: text('The id of the presentation.') }
const unread = { unread: count('Unread notifications of the user, on all channels.') }
const notificationId = { notification_id: text() }
const channel = { channel: text('`general`, `user_{user id}` or `presentation_{id}`.') }

export const progressSchema = Type.Object({
  status: statusSchema,
  stage: nullable(oneOf(stages)),
  progress: Type.Number({ minimum: 0, maximum: 1, description: 'Never falls within a run.' }),
  current_step: text('A short sentence for people.'),
  message: text('A sentence with details, for people.'),
  slides_done: count(),
  n_slides: count(),
  queue_position: nullable(Type.Integer({ minimum: 1 })),
  estimated_completion: nullable(time()),
  error: nullable(runErrorSchema),
})

/** What the gateway sends. */
export const serverMessages = {
  connected: {
    description: 'The first message of every connection.',
    members: {
      connection_id: text(),
      job_id: Type.Optional(text('On generation connections: the presentation of the URL.')),
      user_id: text(),
      unread: Type.Optional(count('On notification connections.')),
    },
    example: { type: 'connected', connection_id: exampleId, job_id: exampleId, user_id: 'alice' },
  },
  pong: { description: 'The response to `ping`.', members: {}, example: { type: 'pong' } },
  error: {
    description: 'A client message was refused, or the connection ends.',
    members: {
      error_code: oneOf(messageErrorCodes),
      message: text('One fixed sentence for each code.'),
      details: Type.Object({}),
    },
    example: {
      type: 'error',
      error_code: 'NOT_FOUND',
      message: 'The resource does not exist.',
      details: {},
      request_id: '17',
    },
  },
  job_progress: {
    description: 'The state of a run: once at first, then after each change.',
    members: { ...jobId, data: progressSchema },
    example: {
      type: 'job_progress',
      job_id: exampleId,
      data: {
        status: 'running',
        stage: 'slides',
        progress: 0.65,
        current_step: 'Generating slides',
        message: 'Slide 13 of 20',
        slides_done: 13,
        n_slides: 20,
        queue_position: null,
        estimated_completion: '2026-11-27T12:30:00.000Z',
        error: null,
      },
    },
  },
  subscribed: {
    description: 'The response to `subscribe_job`. The state follows.',
    members: jobId,
    example: { type: 'subscribed', job_id: exampleId, request_id: '1' },
  },
  unsubscribed: {
    description: 'The response to `unsubscribe_job`.',
    members: jobId,
    example: { type: 'unsubscribed', job_id: exampleId, request_id: '2' },
  },
  job_deleted: {
    description: 'The presentation was deleted.',
    members: jobId,
    example: { type: 'job_deleted', job_id: exampleId },
  },
  notification: {
    description: 'A notification.',
    members: { ...notificationMembers, ...unread },
    example: {
      type: 'notification',
      id: exampleId,
      channel: 'user_alice',
      notification_type: 'success',
      title: 'Presentation ready',
      message: '“Machine Learning Research” is ready: 15 slides.',
      data: { presentation_id: exampleId, slide_count: 15 },
      priority: 'normal',
      category: 'generation',
      action_url: `https://app.example/slides/${exampleId}`,
      action_text: 'Open',
      read: false,
      cursor: 'MTcuNC5hOWMx',
      unread: 3,
    },
  },
  presentation_status: {
    description: 'The status or stage of a subscribed presentation has changed. Not stored.',
    members: { presentation_id: text(), status: statusSchema, stage: nullable(oneOf(stages)) },
    example: {
      type: 'presentation_status',
      presentation_id: exampleId,
      status: 'running',
      stage: 'slides',
    },
  },
  channel_subscribed: {
    description: 'The response to `subscribe_channel`.',
    members: channel,
    example: { type: 'channel_subscribed', channel: 'general', request_id: '3' },
  },
  channel_unsubscribed: {
    description: 'The response to `unsubscribe_channel`.',
    members: channel,
    example: { type: 'channel_unsubscribed', channel: 'general', request_id: '4' },
  },
  marked_read: {
    description: 'The response to `mark_read` with `notification_id`.',
    members: { ...notificationId, ...unread },
    example: { type: 'marked_read', notification_id: exampleId, unread: 2, request_id: '5' },
  },
  notification_read: {
    description: 'A notification was marked as read elsewhere.',
    members: { ...notificationId, ...unread },
    example: { type: 'notification_read', notification_id: exampleId, unread: 2 },
  },
  notifications_read: {
    description: 'All notifications that are not later than this one were marked as read.',
    members: { up_to: text('The id of a notification.'), ...unread },
    example: { type: 'notifications_read', up_to: exampleId, unread: 0 },
  },
  notification_deleted: {
    description: 'A notification was deleted.',
    members: { ...notificationId, ...unread },
    example: { type: 'notification_deleted', notification_id: exampleId, unread: 1 },
  },
  resync: {
    description: 'The cursor is unknown or expired. What follows is as without a cursor.',
    members: unread,
    example: { type: 'resync', unread: 3 },
  },
} as const satisfies Record<string, MessageDefinition>

/** What a client may send. Unknown members are ignored. */
export const clientMessages = {
  ping: { description: 'Answered with `pong`.', members: {}, example: { type: 'ping' } },
  subscribe_job: {
    description: 'Also follow this presentation. At most 100 for each connection.',
    members: jobId,
    example: { type: 'subscribe_job', job_id: exampleId, request_id: '1' },
  },
  unsubscribe_job: {
    description: 'No longer follow this presentation.',
    members: jobId,
    example: { type: 'unsubscribe_job', job_id: exampleId, request_id: '2' },
  },
  subscribe_channel: {
    description: 'Switch a channel on, or add `presentation_{id}`.',
    members: channel,
    example: { type: 'subscribe_channel', channel: 'general', request_id: '3' },
  },
  unsubscribe_channel: {
    description: 'Switch a channel off for this connection.',
    members: channel,
    example: { type: 'unsubscribe_channel', channel: 'general', request_id: '4' },
  },
  mark_read: {
    description: 'Mark one notification as read, or all up to one.',
    members: { notification_id: Type.Optional(text()), up_to: Type.Optional(text()) },
    example: { type: 'mark_read', notification_id: exampleId, request_id: '5' },
  },
} as const satisfies Record<string, MessageDefinition>
