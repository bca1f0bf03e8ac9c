// The user's notifications: listed, marked, deleted and followed.

import { type FollowRealtime, messageError } from './follow-realtime.ts'
import { iteratePages } from './pages.ts'
import type { Requests } from './requests.ts'
import type { CallOptions, Notification, NotificationMessage } from './types.ts'

export interface FollowNotificationsOptions extends CallOptions {
  /** Continues after the notification with this cursor. */
  cursor?: string | undefined
}

export interface NotificationsOptions {
  requests: Requests
  followRealtime: FollowRealtime
}

export function createNotifications({ requests, followRealtime }: NotificationsOptions) {
  const { send, remove } = requests
  const at = (id: string) => `/notifications/${encodeURIComponent(id)}`

  function read(id: string, options?: CallOptions): Promise<Notification>
  function read(upTo: { upTo: string }, options?: CallOptions): Promise<{ unread: number }>
  function read(
    which: string | { upTo: string },
    { signal }: CallOptions = {},
  ): Promise<Notification | { unread: number }> {
    return typeof which === 'string'
      ? send({ method: 'PATCH', path: at(which), json: { read: true }, signal })
      : send({ method: 'POST', path: '/notifications/read', json: { up_to: which.upTo }, signal })
  }

  return {
    /** Newest first. */
    list: (
      options: { unread?: boolean | undefined; limit?: number | undefined } & CallOptions = {},
    ): AsyncGenerator<Notification, void, undefined> => {
      const { unread, limit, signal } = options
      const only = unread ? { unread: 'true' } : {}
      return iteratePages((cursor) =>
        send({ path: '/notifications', query: { ...only, limit, cursor }, signal }),
      )
    },

    /** Marks one as read, or with `upTo` all that are not later than that one. */
    read,

    delete: (id: string, options: CallOptions = {}) => remove(at(id), options),

    /**
     * Each notification once, and what other connections do with them; never ends by itself. Begins
     * with `connected`, and repeats it after each reconnect. Without a cursor the newest 100 unread
     * ones come first.
     */
    async *follow({
      cursor,
      signal,
    }: FollowNotificationsOptions = {}): AsyncGenerator<NotificationMessage, void, undefined> {
      let last = cursor
      const subject = { path: () => 'notifications', cursor: () => last }
      for await (const message of followRealtime(subject, signal)) {
        if (message.type === 'error') {
          const error = messageError(message)
          if (error) throw error
          continue
        }
        if (message.type === 'notification') last = String(message['cursor'])
        if (message.type === 'resync') last = undefined
        yield message as NotificationMessage
      }
    },
  }
}
