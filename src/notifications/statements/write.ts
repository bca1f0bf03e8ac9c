// Writes notifications in the transaction of the change that they report. Raw SQL: each numbers its
// channel, reads the presentation and inserts in one statement. A transaction that writes several
// does so in the order of their users, so that two of them cannot deadlock.

import {
  type Announcement,
  channelOfUser,
  generalChannel,
  type NotificationType,
  type Priority,
} from '../../contract/notification.ts'
import type { Database, Queryable } from '../../database/connection.ts'
import type { ExtraStatement } from '../../database/run-write.ts'

/** The next number of a channel; the row lock makes later writers of the channel wait. */
const nextNumber = (channels: string) => `
  insert into gateway.notification_channels as c (channel, last_seq) ${channels}
  on conflict (channel) do update set last_seq = c.last_seq + 1 returning c.channel, c.last_seq`

export interface PresentationNotice {
  notificationType: NotificationType
  priority: Priority
  category: string
  title: string
  /** `{name}` becomes the quoted title of the presentation, `{slides}` the number of its slides. */
  message: string
  /** Follows the message as it is: it may hold text from upstream. */
  detail?: string
  data?: Record<string, unknown>
}

/** Notifies the owner of the presentation that the write concerns. */
export function notifyOwner(notice: PresentationNotice): ExtraStatement {
  return {
    text: `with target as (
        select user_id, slides_done as n,
          coalesce('“' || title || '”', 'Your presentation') as name
        from gateway.presentations where id = $1
      ), numbered as (${nextNumber(`select 'user_' || user_id, 1 from target`)})
      insert into gateway.notifications (channel, seq, notification_type, priority, category,
        title, message, data, presentation_id)
      select channel, last_seq, $2, $3, $4, $5,
        replace(replace($6::text, '{slides}', n || case n when 1 then ' slide' else ' slides' end),
          '{name}', name) || $8,
        jsonb_build_object('presentation_id', $1::uuid) || $7::jsonb
          || case when $2 = 'success' then jsonb_build_object('slide_count', n) else '{}' end, $1
      from target, numbered`,
    values: [
      notice.notificationType,
      notice.priority,
      notice.category,
      notice.title,
      notice.message,
      JSON.stringify(notice.data ?? {}),
      notice.detail === undefined ? '' : ` ${notice.detail}`,
    ],
  }
}

/** Notifies the user `$1` of something other than a presentation. */
export function notifyUser(notice: PresentationNotice): ExtraStatement {
  return {
    text: `with numbered as (${nextNumber(`values ('user_' || $1::text, 1)`)})
      insert into gateway.notifications (channel, seq, notification_type, priority, category,
        title, message, data)
      select channel, last_seq, $2, $3, $4, $5, $6, $7::jsonb from numbered`,
    values: [
      notice.notificationType,
      notice.priority,
      notice.category,
      notice.title,
      notice.message,
      JSON.stringify(notice.data ?? {}),
    ],
  }
}

export interface AnnouncementRow {
  id: string
  createdAt: Date
}

/** One row for everybody. */
export async function insertAnnouncement(
  database: Queryable,
  given: Announcement,
): Promise<AnnouncementRow> {
  const [row] = await database.query<AnnouncementRow>(
    `with numbered as (${nextNumber('values ($1, 1)')})
     insert into gateway.notifications (channel, seq, notification_type, priority, category,
       title, message, action_url, action_text)
     select channel, last_seq, $2, $3, $4, $5, $6, $7, $8 from numbered
     returning id, created_at as "createdAt"`,
    [
      generalChannel,
      given.notification_type,
      given.priority ?? 'normal',
      given.category ?? 'system',
      given.title,
      given.message,
      given.action_url ?? null,
      given.action_text ?? null,
    ],
  )
  if (!row) throw new Error('The announcement was not inserted.')
  return row
}

const expiringReview: PresentationNotice = {
  notificationType: 'warning',
  priority: 'high',
  category: 'review',
  title: 'Approval expires soon',
  message: 'The outlines of {name} expire within an hour.',
}

const expiresSoon = `p.status = 'awaiting_outlines' and not p.review_warned
  and p.review_expires_at > now() and p.review_expires_at < now() + interval '1 hour'`
const maxTogether = 100

/** Warns of each review that expires within an hour, once. Returns the owners' channels. */
export function warnOfExpiringReviews(database: Pick<Database, 'transaction'>): Promise<string[]> {
  return database.transaction(async (client) => {
    // Every statement locks a lease row before its presentation.
    const due = await client.query<{ id: string }>(
      `select p.id from gateway.presentations p
       join gateway.leases l on l.presentation_id = p.id
       where ${expiresSoon} order by p.user_id limit ${maxTogether} for update of l skip locked`,
      [],
    )
    const channels: string[] = []
    for (const { id } of due) {
      const [warned] = await client.query<{ userId: string }>(
        `update gateway.presentations p set review_warned = true
         where p.id = $1 and ${expiresSoon} returning p.user_id as "userId"`,
        [id],
      )
      if (!warned) continue
      const { text, values } = notifyOwner(expiringReview)
      await client.query(text, [id, ...values])
      channels.push(channelOfUser(warned.userId))
    }
    return channels
  })
}
