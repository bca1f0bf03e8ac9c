// Tells all open connections of a user, on any replica, what was done with a notification.

import { randomUUID } from 'node:crypto'
import type { ChannelMessages, Channels } from '../database/channels.ts'

type ChangeMessage = ChannelMessages['notification_change']
export type NotificationChange = ChangeMessage['change']

export function publishChange(
  channels: Pick<Channels, 'publish'>,
  change: Omit<ChangeMessage, 'id'>,
): void {
  // An id of its own, since hints with the same id replace each other.
  channels.publish('notification_change', { id: randomUUID(), ...change })
}
