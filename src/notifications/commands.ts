// What users do with their notifications. All open connections of the user get each change.

import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { Problem } from '../domain/problem.ts'
import { type NotificationChange, publishChange } from './publish-change.ts'
import { deleteNotification, markRead, markReadUpTo } from './statements/change.ts'
import { countUnread, findNotification, type PlacedNotification } from './statements/list.ts'

export interface NotificationCommandsOptions {
  database: Pick<Database, 'transaction'>
  channels: Pick<Channels, 'publish'>
}

export interface OwnNotification {
  userId: string
  id: string
  /** The connection that asked, which gets a response of its own. */
  connectionId?: string | undefined
}

export type NotificationCommands = ReturnType<typeof createNotificationCommands>

export function createNotificationCommands({ database, channels }: NotificationCommandsOptions) {
  async function change(
    change: NotificationChange,
    { userId, id: notificationId, connectionId }: OwnNotification,
    apply: (client: Queryable, found: PlacedNotification) => Promise<void>,
  ): Promise<{ unread: number; found: PlacedNotification }> {
    const result = await database.transaction(async (client) => {
      const found = await findNotification(client, { userId, id: notificationId })
      if (!found) throw new Problem('NOT_FOUND')
      await apply(client, found)
      return { found, unread: await countUnread(client, userId) }
    })
    const { unread } = result
    publishChange(channels, { userId, change, notificationId, unread, connectionId })
    return result
  }

  return {
    /** @throws Problem NOT_FOUND */
    markRead: (own: OwnNotification) => change('read', own, (client) => markRead(client, own)),

    /** Marks all that are not later. @throws Problem NOT_FOUND */
    markReadUpTo: (own: OwnNotification) =>
      change('read-up-to', own, (client, { createdAt }) =>
        markReadUpTo(client, { userId: own.userId, upTo: createdAt }),
      ),

    /** @throws Problem NOT_FOUND */
    remove: (own: OwnNotification) =>
      change('deleted', own, (client) => deleteNotification(client, own)),
  }
}
