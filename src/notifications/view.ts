// A notification in its wire form.

import type { Notification } from '../contract/notification.ts'
import { encodeStreamCursor } from './cursor.ts'
import type { NotificationRow, Position } from './statements/read.ts'

export interface NotificationContext {
  userId: string
  /** The place in the stream after this notification. */
  position: Position
}

/** Where a presentation is shown; null where there is no such page. */
export type LinkToPresentation = (presentation: { id: string; hasMaker: boolean }) => string | null

export type NotificationView = ReturnType<typeof createNotificationView>

export function createNotificationView(linkTo: LinkToPresentation) {
  return (row: NotificationRow, { userId, position }: NotificationContext): Notification => {
    const { presentationId: id, hasMaker } = row
    const link = id === null ? null : linkTo({ id, hasMaker })
    return {
      id: row.id,
      channel: row.channel,
      notification_type: row.notificationType,
      title: row.title,
      message: row.message,
      data: row.data,
      priority: row.priority,
      category: row.category,
      action_url: row.actionUrl ?? link,
      action_text: row.actionText ?? (link === null ? null : 'Open'),
      read: row.read,
      cursor: encodeStreamCursor(position, userId),
      timestamp: row.createdAt.toISOString(),
    }
  }
}
