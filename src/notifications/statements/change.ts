// What users do with their notifications, and the retention. Raw SQL: an announcement has a mark
// for each user who read or deleted it, so each change concerns one of two tables.

import type { Queryable } from '../../database/connection.ts'

interface Own {
  userId: string
  id: string
}

export async function markRead(client: Queryable, { userId, id }: Own): Promise<void> {
  await client.query(
    `update gateway.notifications set read = true
     where id = $2 and channel = 'user_' || $1 and not read`,
    [userId, id],
  )
  await client.query(
    `insert into gateway.notification_marks (user_id, notification_id)
     select $1, id from gateway.notifications where id = $2 and channel = 'general'
     on conflict do nothing`,
    [userId, id],
  )
}

/** Marks all that are not later than `upTo`, on both channels. */
export async function markReadUpTo(
  client: Queryable,
  { userId, upTo }: { userId: string; upTo: Date },
): Promise<void> {
  await client.query(
    `update gateway.notifications set read = true
     where channel = 'user_' || $1 and not read and created_at <= $2`,
    [userId, upTo],
  )
  await client.query(
    `insert into gateway.notification_marks (user_id, notification_id)
     select $1, id from gateway.notifications where channel = 'general' and created_at <= $2
     on conflict do nothing`,
    [userId, upTo],
  )
}

/** An announcement is hidden for this user only. */
export async function deleteNotification(client: Queryable, { userId, id }: Own): Promise<void> {
  await client.query(
    `delete from gateway.notifications where id = $2 and channel = 'user_' || $1`,
    [userId, id],
  )
  await client.query(
    `insert into gateway.notification_marks (user_id, notification_id, is_hidden)
     select $1, id, true from gateway.notifications where id = $2 and channel = 'general'
     on conflict (user_id, notification_id) do update set is_hidden = true`,
    [userId, id],
  )
}

/** Removes those about a presentation that is deleted. Returns their ids. */
export async function deleteNotificationsOf(client: Queryable, id: string): Promise<string[]> {
  const rows = await client.query<{ id: string }>(
    'delete from gateway.notifications where presentation_id = $1 returning id',
    [id],
  )
  return rows.map((row) => row.id)
}

const prunedTogether = 1_000

/** Removes a batch of those older than `hours`. Returns their number, 0 when none is left. */
export async function pruneNotifications(database: Queryable, hours: number): Promise<number> {
  const rows = await database.query(
    `with old as (
       select id, channel, seq from gateway.notifications
       where created_at < now() - make_interval(hours => $1)
       order by created_at limit ${prunedTogether}
     ), pruned as (
       update gateway.notification_channels c set pruned_seq = greatest(c.pruned_seq, o.seq)
       from (select channel, max(seq) as seq from old group by channel) o
       where c.channel = o.channel
     )
     delete from gateway.notifications n using old where n.id = old.id returning n.id`,
    [hours],
  )
  return rows.length
}
