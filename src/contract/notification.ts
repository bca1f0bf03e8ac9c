// A notification on the wire, and the body with which an operator announces something.

import Type, { type Static } from 'typebox'
import { textSchema } from './brief.ts'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'

export const notificationTypes = ['info', 'success', 'warning', 'error'] as const
export type NotificationType = (typeof notificationTypes)[number]

export const priorities = ['low', 'normal', 'high'] as const
export type Priority = (typeof priorities)[number]

/** The channel of announcements, which everybody receives. */
export const generalChannel = 'general'

/** The channel of one user. No user's channel is `general`. */
export const channelOfUser = (userId: string) => `user_${userId}`

/** Of a notification, beside `timestamp`. */
export const notificationMembers = {
  id: Type.String({ format: 'uuid' }),
  channel: text('`general`, or `user_` and the id of the user.'),
  notification_type: oneOf(notificationTypes),
  title: text(),
  message: text(),
  data: Type.Record(Type.String(), Type.Unknown()),
  priority: oneOf(priorities),
  category: text(),
  action_url: nullable(text()),
  action_text: nullable(text()),
  read: Type.Boolean(),
  cursor: text('The place in the stream after this notification, to resume from.'),
}

export const notificationSchema = Type.Object(
  { ...notificationMembers, timestamp: time() },
  { $id: 'Notification', title: 'Notification' },
)
export type Notification = Static<typeof notificationSchema>

export const notificationRef = Type.Unsafe<Notification>({ $ref: 'Notification#' })

export const unreadSchema = Type.Object({ unread: count('On all channels.') })

export const notificationPageSchema = Type.Object({
  items: Type.Array(notificationRef),
  next_cursor: nullable(text('For the next page; null on the last one.')),
  unread: count('On all channels.'),
})
export type NotificationPage = Static<typeof notificationPageSchema>

export const maxActionUrlChars = 2048

/** The body of the operators' `POST /notifications`. Unknown members are refused. */
export const announcementSchema = Type.Object(
  {
    title: textSchema(200, { minLength: 1 }),
    message: textSchema(2000, { minLength: 1 }),
    notification_type: oneOf(notificationTypes),
    priority: Type.Optional(
      Type.Unsafe<Priority>({ type: 'string', enum: priorities, default: 'normal' }),
    ),
    category: Type.Optional(textSchema(40, { minLength: 1, default: 'system' })),
    action_url: Type.Optional(
      textSchema(maxActionUrlChars, {
        minLength: 1,
        description: 'An https URL, or a path with one leading slash and no backslash.',
      }),
    ),
    action_text: Type.Optional(textSchema(60, { minLength: 1 })),
  },
  { title: 'Announcement', additionalProperties: false },
)
export type Announcement = Static<typeof announcementSchema>
