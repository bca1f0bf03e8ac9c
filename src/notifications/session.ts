// What a notification connection carries: notifications, what other connections of the user did
// with them, and the status of presentations that the client subscribes to.

import { channelOfUser, generalChannel } from '../contract/notification.ts'
import { encodeError, encodeMessage } from '../contract/realtime.ts'
import { parseId } from '../domain/ids.ts'
import { Problem } from '../domain/problem.ts'
import type { ClientMessage } from '../realtime/client-messages.ts'
import type { Connection, Session } from '../realtime/connection.ts'
import type { Jobs } from '../realtime/progress/jobs.ts'
import type { NotificationCommands } from './commands.ts'
import { createDelivery } from './delivery.ts'
import type { ChangeMessage, Listener, NotificationFeed } from './feed.ts'
import type { NotificationRow, StreamStart } from './statements/read.ts'
import { createStatusChannels } from './status-channels.ts'
import type { NotificationView } from './view.ts'

export interface NotificationSessionOptions {
  connection: Connection
  feed: NotificationFeed
  commands: Pick<NotificationCommands, 'markRead' | 'markReadUpTo'>
  jobs: Pick<Jobs, 'find' | 'watch' | 'unwatch'>
  view: NotificationView
  start: StreamStart
  cursor: string | undefined
}

export function openNotificationSession(options: NotificationSessionOptions): Session {
  const { connection, feed, commands, jobs, view, start, cursor } = options
  const { userId } = connection
  const own = channelOfUser(userId)
  const off = new Set<string>()
  /** What a channel had up to these numbers, while it was off, counts as delivered. */
  const skipped = new Map<string, number>()
  const isOn = ({ channel, seq }: NotificationRow) =>
    !off.has(channel) && seq > (skipped.get(channel) ?? 0)
  const delivery = createDelivery({ connection, feed, view, start, cursor, isOn })
  const statusChannels = createStatusChannels({ connection, jobs })
  const listener: Listener = {
    userId,
    position: delivery.position,
    isBusy: delivery.isBusy,
    wake: () => void delivery.pump(),
    onChange,
    extraChannels: statusChannels.count,
  }
  feed.add(listener)
  listener.wake()

  function onChange({ change, notificationId, unread, connectionId }: ChangeMessage) {
    if (connectionId === connection.id) return
    connection.send(encodeChange(change, notificationId, unread))
  }

  function refuse(code: 'NOT_FOUND' | 'VALIDATION_FAILED', requestId: string | undefined) {
    connection.send(encodeError(code, requestId))
  }

  async function switchChannel({ type, requestId, members }: ClientMessage): Promise<void> {
    const { channel } = members
    if (typeof channel !== 'string') return refuse('VALIDATION_FAILED', requestId)
    const isSubscribe = type === 'subscribe_channel'
    if (channel === generalChannel || channel === own) {
      if (!isSubscribe) off.add(channel)
      else if (off.has(channel)) await switchOn(channel)
    } else {
      const change = isSubscribe ? statusChannels.subscribe : statusChannels.unsubscribe
      const refusal = await change(channel)
      if (refusal) return connection.send(encodeError(refusal, requestId))
    }
    const answer = isSubscribe ? 'channel_subscribed' : 'channel_unsubscribed'
    connection.send(encodeMessage(answer, { channel }, { requestId }))
  }

  async function switchOn(channel: string): Promise<void> {
    const beyond = Number.MAX_SAFE_INTEGER
    const { heads } = await feed.read({ userId, own: beyond, general: beyond })
    skipped.set(channel, channel === generalChannel ? heads.general : heads.own)
    off.delete(channel)
  }

  async function markRead({ requestId, members }: ClientMessage): Promise<void> {
    const { notification_id: one, up_to: upTo } = members
    const given = one ?? upTo
    const isValid = typeof given === 'string' && (one === undefined) !== (upTo === undefined)
    if (!isValid) return refuse('VALIDATION_FAILED', requestId)
    const id = parseId(given)
    if (id === undefined) return refuse('NOT_FOUND', requestId)
    const command = one === undefined ? commands.markReadUpTo : commands.markRead
    try {
      const { unread } = await command({ userId, id, connectionId: connection.id })
      const answer =
        one === undefined
          ? encodeMessage('notifications_read', { up_to: id, unread }, { requestId })
          : encodeMessage('marked_read', { notification_id: id, unread }, { requestId })
      connection.send(answer)
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== 'NOT_FOUND') throw error
      refuse('NOT_FOUND', requestId)
    }
  }

  return {
    onReady: listener.wake,
    onMessage: (message) =>
      message.type === 'mark_read' ? markRead(message) : switchChannel(message),
    onClose() {
      feed.remove(listener)
      statusChannels.close()
    },
  }
}

function encodeChange(change: ChangeMessage['change'], id: string, unread: number): Buffer {
  switch (change) {
    case 'read':
      return encodeMessage('notification_read', { notification_id: id, unread })
    case 'read-up-to':
      return encodeMessage('notifications_read', { up_to: id, unread })
    case 'deleted':
      return encodeMessage('notification_deleted', { notification_id: id, unread })
  }
}
