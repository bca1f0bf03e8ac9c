// Lists the notifications of a user, newest first, each with its place in the stream. Raw SQL: both
// channels are merged.

import type { Queryable } from '../../database/connection.ts'
import { hasMakerOf, type NotificationRow, type Position, unreadOf, visibleTo } from './read.ts'

/** A notification and its place in the stream of its user. */
export interface PlacedNotification extends NotificationRow {
  position: Position
}

export interface ListQuery {
  userId: string
  isUnread: boolean
  limit: number
  /** The last row of the previous page. */
  after?: { createdAt: Date; id: string } | undefined
}

/**
 * The last number of a channel that is not later than `v`, or that the retention has removed. Of
 * several in one ms, the last one.
 */
const placeIn = (channel: string) => `greatest(
  coalesce((select max(n.seq) from gateway.notifications n where n.channel = ${channel}
    and n.created_at = (select max(o.created_at) from gateway.notifications o
      where o.channel = ${channel} and o.created_at <= v.created_at)), 0),
  coalesce((select c.pruned_seq from gateway.notification_channels c
    where c.channel = ${channel}), 0))`

const select = `select v.id, v.channel, v.seq, v.notification_type as "notificationType", v.title,
    v.message, v.data, v.priority, v.category, v.action_url as "actionUrl",
    v.action_text as "actionText", v.is_read as read, v.presentation_id as "presentationId",
    ${hasMakerOf('v')} as "hasMaker", v.created_at as "createdAt", ${placeIn(`'user_' || $1`)} as "ownPlace",
    ${placeIn(`'general'`)} as "generalPlace"
  from ${visibleTo('$1::text')} v`

type SelectedRow = NotificationRow & { ownPlace: number; generalPlace: number }
const toPlaced = ({ ownPlace, generalPlace, ...row }: SelectedRow): PlacedNotification => ({
  ...row,
  position: { own: ownPlace, general: generalPlace },
})

export async function listNotifications(
  database: Queryable,
  { userId, isUnread, limit, after }: ListQuery,
): Promise<PlacedNotification[]> {
  const rows = await database.query<SelectedRow>(
    `${select} where ($2::bool is false or not v.is_read)
       and ($3::timestamptz is null or (v.created_at, v.id) < ($3, $4::uuid))
     order by v.created_at desc, v.id desc limit $5`,
    [userId, isUnread, after?.createdAt ?? null, after?.id ?? null, limit],
  )
  return rows.map(toPlaced)
}

/** One notification that this user can see. */
export async function findNotification(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<PlacedNotification | undefined> {
  const [row] = await database.query<SelectedRow>(`${select} where v.id = $2::uuid`, [userId, id])
  return row && toPlaced(row)
}

export async function countUnread(database: Queryable, userId: string): Promise<number> {
  const [row] = await database.query<{ unread: number }>(
    `select ${unreadOf('$1::text')}::int as unread`,
    [userId],
  )
  return row?.unread ?? 0
}

/** All notifications of the installation, for the statistics. */
export async function countNotifications(database: Queryable): Promise<number> {
  const [row] = await database.query<{ n: number }>(
    'select count(*)::int as n from gateway.notifications',
    [],
  )
  return row?.n ?? 0
}
