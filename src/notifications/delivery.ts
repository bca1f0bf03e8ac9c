// Delivers notifications to one connection: each once, in the order of its channel, as fast as the
// client takes them. The position says what was delivered; nothing is held in memory for later.

import { generalChannel, type Notification } from '../contract/notification.ts'
import { encodeMessage } from '../contract/realtime.ts'
import type { Connection } from '../realtime/connection.ts'
import { decodeStreamCursor } from './cursor.ts'
import type { NotificationFeed } from './feed.ts'
import type { News, NotificationRow, Position, StreamStart } from './statements/read.ts'
import { newsPerChannel } from './statements/read.ts'
import type { NotificationView } from './view.ts'

export interface DeliveryOptions {
  connection: Connection
  feed: Pick<NotificationFeed, 'read' | 'onTrouble'>
  view: NotificationView
  /** What was read just before the connection was accepted. */
  start: StreamStart
  /** The cursor that the client gave. */
  cursor: string | undefined
  /** Whether the connection wants this notification: its channel may be off. */
  isOn: (row: NotificationRow) => boolean
}

export function createDelivery(options: DeliveryOptions) {
  const { connection, feed, view, start, cursor, isOn } = options
  const { userId } = connection
  let position: Position | undefined
  /** Unread notifications of the start that were not sent yet. */
  let backlog: NotificationRow[] = []
  let unread = start.unread
  let isPumping = false
  let isWoken = false

  async function pump(): Promise<void> {
    isWoken = true
    if (isPumping) return
    isPumping = true
    try {
      while (isWoken && connection.isOpen()) {
        isWoken = false
        await deliver()
      }
    } catch (error) {
      // The database is away. The next hint or poll continues.
      feed.onTrouble(error)
    } finally {
      isPumping = false
    }
  }

  async function deliver(): Promise<void> {
    if (!position) begin()
    if (!deliverBacklog()) return
    while (position && connection.isReady()) {
      const news = await feed.read({ userId, ...position })
      unread = news.unread
      if (!deliverNews(news)) return
      const isWhole = [news.own, news.general].every((rows) => rows.length < newsPerChannel)
      if (!isWhole) continue
      position = latest(position, news.heads)
      return
    }
  }

  /** In the turn of the connection's opening: `connected` comes before all responses. */
  function begin() {
    connection.send(
      encodeMessage('connected', { connection_id: connection.id, user_id: userId, unread }),
    )
    // Taken out, since the start stays in memory while the connection lasts.
    const newestUnread = start.newestUnread.splice(0)
    const given = cursor === undefined ? undefined : decodeStreamCursor(cursor, userId)
    if (given && isWithin(given, start)) {
      position = given
      return
    }
    if (cursor !== undefined) connection.send(encodeMessage('resync', { unread }))
    backlog = mergeByTime(
      newestUnread.filter(isOwn).sort(bySeq),
      newestUnread.filter(isGeneral).sort(bySeq),
    )
    position = {
      own: beforeFirst(backlog, start.heads.own, isOwn),
      general: beforeFirst(backlog, start.heads.general, isGeneral),
    }
  }

  /** False when the client is behind. */
  function deliverBacklog(): boolean {
    while (backlog.length > 0) {
      if (!connection.isReady()) return false
      const [row] = backlog.splice(0, 1)
      if (!row || !position) break
      // What is not in the backlog was read before.
      position = latest(position, backlog.length === 0 ? start.heads : placeOf(row))
      if (isOn(row)) send(row)
    }
    return true
  }

  /** False when the client is behind. */
  function deliverNews({ own, general }: News): boolean {
    for (const row of mergeByTime(own, general)) {
      if (!connection.isReady() || !position) return false
      position = latest(position, placeOf(row))
      if (isOn(row)) send(row)
    }
    return true
  }

  function send(row: NotificationRow) {
    if (!position) return
    const { timestamp, ...members }: Notification = view(row, { userId, position })
    const context = { timestamp: new Date(timestamp) }
    connection.send(encodeMessage('notification', { ...members, unread }, context), members.cursor)
  }

  return { pump, position: () => position, isBusy: () => isPumping }
}

const isGeneral = ({ channel }: NotificationRow) => channel === generalChannel
const isOwn = (row: NotificationRow) => !isGeneral(row)
const bySeq = (one: NotificationRow, other: NotificationRow) => one.seq - other.seq

function placeOf(row: NotificationRow): Position {
  return isGeneral(row) ? { own: 0, general: row.seq } : { own: row.seq, general: 0 }
}

function latest(one: Position, other: Position): Position {
  return {
    own: Math.max(one.own, other.own),
    general: Math.max(one.general, other.general),
  }
}

/** Neither beyond the channels' ends, nor before what the retention has removed. */
function isWithin(position: Position, { heads, pruned }: StreamStart): boolean {
  return (['own', 'general'] as const).every(
    (channel) => position[channel] >= pruned[channel] && position[channel] <= heads[channel],
  )
}

function beforeFirst(
  rows: NotificationRow[],
  head: number,
  isOfChannel: (row: NotificationRow) => boolean,
): number {
  const numbers = rows.filter(isOfChannel).map(({ seq }) => seq)
  return numbers.length === 0 ? head : Math.min(...numbers) - 1
}

/** By their times, without changing the order of either channel. */
function mergeByTime(own: NotificationRow[], general: NotificationRow[]): NotificationRow[] {
  const merged: NotificationRow[] = []
  let nextGeneral = 0
  for (const row of own) {
    for (let other = general[nextGeneral]; other; other = general[nextGeneral]) {
      if (other.createdAt > row.createdAt) break
      merged.push(other)
      nextGeneral += 1
    }
    merged.push(row)
  }
  return [...merged, ...general.slice(nextGeneral)]
}
