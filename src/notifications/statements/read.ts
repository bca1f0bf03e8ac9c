// Reads notifications for their users. Raw SQL: two channels are read together, for many users at
// once, and each user has marks of their own in channel `general`.

import type { NotificationType, Priority } from '../../contract/notification.ts'
import type { Queryable } from '../../database/connection.ts'

export interface NotificationRow {
  id: string
  channel: string
  seq: number
  notificationType: NotificationType
  title: string
  message: string
  data: Record<string, unknown>
  priority: Priority
  category: string
  actionUrl: string | null
  actionText: string | null
  read: boolean
  presentationId: string | null
  /** Whether its presentation has a deck that the slide maker can open. */
  hasMaker: boolean
  createdAt: Date
}

/** A place in both channels of a user: the last number of each. */
export interface Position {
  own: number
  general: number
}

/**
 * SQL for `hasMaker`, `n` being the notification. A deck of the account that all share has none.
 */
export const hasMakerOf = (n: string) => `exists (select 1 from gateway.presentations p
    where p.id = ${n}.presentation_id and p.account is not null)`

const members = (n: string) => `'id', ${n}.id, 'channel', ${n}.channel, 'seq', ${n}.seq,
  'notificationType', ${n}.notification_type, 'title', ${n}.title, 'message', ${n}.message,
  'data', ${n}.data, 'priority', ${n}.priority, 'category', ${n}.category,
  'actionUrl', ${n}.action_url, 'actionText', ${n}.action_text, 'read', ${n}.is_read,
  'presentationId', ${n}.presentation_id, 'hasMaker', ${hasMakerOf(n)}, 'createdAt', ${n}.created_at`

/** The notifications of one user, `user` being SQL for the id. */
const own = (user: string) => `select n.*, n.read as is_read
  from gateway.notifications n where n.channel = 'user_' || ${user}`
const general = (user: string) => `select n.*, m.user_id is not null as is_read
  from gateway.notifications n
  left join gateway.notification_marks m on m.notification_id = n.id and m.user_id = ${user}
  where n.channel = 'general' and m.is_hidden is not true`
export const visibleTo = (user: string) => `(${own(user)} union all ${general(user)})`

/** SQL for the number of unread notifications of a user. */
export const unreadOf = (user: string) => `(
  (select count(*) from gateway.notifications n
   where n.channel = 'user_' || ${user} and not n.read)
  + (select count(*) from gateway.notifications n where n.channel = 'general' and not exists (
     select 1 from gateway.notification_marks m
     where m.user_id = ${user} and m.notification_id = n.id)))`

const head = (channel: string, column: 'last_seq' | 'pruned_seq') => `coalesce((
  select c.${column} from gateway.notification_channels c where c.channel = ${channel}), 0)`

export const newsPerChannel = 100

export interface NewsRequest extends Position {
  userId: string
}

export interface News {
  unread: number
  /** The last numbers when this was read. */
  heads: Position
  own: NotificationRow[]
  general: NotificationRow[]
}

/** For each request, what follows its position: at most `newsPerChannel` of each channel. */
export async function readNews(database: Queryable, requests: NewsRequest[]): Promise<News[]> {
  const page = (source: string, after: string) => `coalesce((
    select json_agg(json_build_object(${members('x')}) order by x.seq)
    from (select * from (${source}) y where y.seq > ${after}
      order by y.seq limit ${newsPerChannel}) x), '[]')`
  const rows = await database.query<{
    unread: number
    ownHead: number
    generalHead: number
    own: StoredRow[]
    general: StoredRow[]
  }>(
    `select ${unreadOf('a.user_id')}::int as unread,
       ${head(`'user_' || a.user_id`, 'last_seq')} as "ownHead",
       ${head(`'general'`, 'last_seq')} as "generalHead",
       ${page(own('a.user_id'), 'a.own')} as own,
       ${page(general('a.user_id'), 'a.general')} as general
     from unnest($1::text[], $2::bigint[], $3::bigint[]) with ordinality
       as a(user_id, own, general, n)
     order by a.n`,
    [
      requests.map(({ userId }) => userId),
      requests.map((request) => request.own),
      requests.map((request) => request.general),
    ],
  )
  return rows.map((row) => ({
    unread: row.unread,
    heads: { own: row.ownHead, general: row.generalHead },
    own: row.own.map(toRow),
    general: row.general.map(toRow),
  }))
}

type StoredRow = Omit<NotificationRow, 'createdAt'> & { createdAt: string }
const toRow = (row: StoredRow): NotificationRow => ({ ...row, createdAt: new Date(row.createdAt) })

export interface StreamStart {
  unread: number
  heads: Position
  /** The last numbers that the retention has removed. */
  pruned: Position
  /** The newest unread ones, in no order. */
  newestUnread: NotificationRow[]
}

const maxUnreadAtStart = 100

/** Where a stream begins that has no cursor, or whether its cursor is still good. */
export async function readStreamStart(database: Queryable, userId: string): Promise<StreamStart> {
  const [row] = await database.query<{
    unread: number
    ownHead: number
    generalHead: number
    ownPruned: number
    generalPruned: number
    newest: StoredRow[]
  }>(
    `select ${unreadOf('$1::text')}::int as unread,
       ${head(`'user_' || $1`, 'last_seq')} as "ownHead",
       ${head(`'general'`, 'last_seq')} as "generalHead",
       ${head(`'user_' || $1`, 'pruned_seq')} as "ownPruned",
       ${head(`'general'`, 'pruned_seq')} as "generalPruned",
       coalesce((select json_agg(json_build_object(${members('x')}))
         from (select * from ${visibleTo('$1')} v where not v.is_read
           order by v.created_at desc, v.seq desc limit ${maxUnreadAtStart}) x), '[]') as newest`,
    [userId],
  )
  if (!row) throw new Error('The database returned no row.')
  return {
    unread: row.unread,
    heads: { own: row.ownHead, general: row.generalHead },
    pruned: { own: row.ownPruned, general: row.generalPruned },
    newestUnread: row.newest.map(toRow),
  }
}

/** Of the channels asked for, the last numbers. Channels without notifications are left out. */
export async function readHeads(
  database: Queryable,
  channels: string[],
): Promise<Map<string, number>> {
  const rows = await database.query<{ channel: string; lastSeq: number }>(
    `select channel, last_seq as "lastSeq" from gateway.notification_channels
     where channel = any($1::text[])`,
    [channels],
  )
  return new Map(rows.map(({ channel, lastSeq }) => [channel, lastSeq]))
}
