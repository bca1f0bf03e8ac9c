// The tables of notifications: dense numbers in commit order, the retention, and who sees what.

import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../../sandbox/rows.ts'
import { decodeStreamCursor, encodeStreamCursor } from '../cursor.ts'
import { pruneNotifications } from './change.ts'
import { readNews, readStreamStart } from './read.ts'
import {
  insertAnnouncement,
  notifyOwner,
  type PresentationNotice,
  warnOfExpiringReviews,
} from './write.ts'

const notice: PresentationNotice = {
  notificationType: 'info',
  priority: 'normal',
  category: 'generation',
  title: 'Title',
  message: '{name}: {slides}.',
  detail: 'As it is: {name} {slides}',
}

describe('notifications', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterAll(() => rows.close())

  const { text, values } = notifyOwner(notice)
  const notify = (id: string, work: () => Promise<void> = async () => undefined) =>
    rows.database.transaction(async (client) => {
      await client.query(text, [id, ...values])
      await work()
    })
  const newsOf = async (userId: string, own = 0, general = 0) => {
    const [news] = await readNews(rows.database, [{ userId, own, general }])
    if (!news) throw new Error('no news')
    return news
  }

  it('numbers a channel densely, in the order of the commits, and without gaps after a rollback', async () => {
    const id = await rows.insert({ userId: 'carol', title: 'A “quoted” {slides} {name}' })
    const writes = Array.from({ length: 40 }, (_, n) =>
      notify(id, async () => {
        if (n % 4 === 0) throw new Error('rolled back')
      }).catch(() => undefined),
    )
    const seen: number[] = []
    let isDone = false
    const reading = (async () => {
      while (!isDone) {
        const { own } = await newsOf('carol', seen.at(-1) ?? 0)
        seen.push(...own.map(({ seq }) => seq))
      }
    })()
    await Promise.all(writes)
    isDone = true
    await reading
    const { own, unread, heads } = await newsOf('carol')
    expect(own.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, n) => n + 1))
    // A reader that followed at the same time has skipped none.
    expect(seen).toEqual(own.slice(0, seen.length).map(({ seq }) => seq))
    expect([unread, heads.own]).toEqual([30, 30])
    expect(own[0]).toMatchObject({
      message: '“A “quoted” {slides} {name}”: 0 slides. As it is: {name} {slides}',
      presentationId: id,
      data: { presentation_id: id },
    })
  })

  it('removes what is older than the retention, and remembers up to which number', async () => {
    const id = await rows.insert({ userId: 'dave' })
    for (let n = 0; n < 5; n += 1) await notify(id)
    await rows.database.query(
      `update gateway.notifications set created_at = now() - interval '3 hours'
       where channel = 'user_dave' and seq <= 2`,
    )
    expect(await pruneNotifications(rows.database, 2)).toBe(2)
    expect(await pruneNotifications(rows.database, 2)).toBe(0)
    const start = await readStreamStart(rows.database, 'dave')
    expect(start).toMatchObject({ unread: 3, heads: { own: 5 }, pruned: { own: 2 } })
    expect((await newsOf('dave')).own.map(({ seq }) => seq)).toEqual([3, 4, 5])
  })

  it('warns of a review that expires within the hour once, and of no other', async () => {
    const inReview = async (minutes: number) => {
      const id = await rows.insert({ userId: 'erin' })
      await rows.database.query(
        `update gateway.presentations set status = 'awaiting_outlines',
           review_expires_at = now() + make_interval(mins => $2) where id = $1`,
        [id, minutes],
      )
      return id
    }
    const soon = await inReview(59)
    await inReview(61)
    await inReview(-1)
    const rounds = await Promise.all([1, 2, 3].map(() => warnOfExpiringReviews(rows.database)))
    expect(rounds.flat()).toEqual(['user_erin'])
    expect(await warnOfExpiringReviews(rows.database)).toEqual([])
    const { own } = await newsOf('erin')
    expect(own).toMatchObject([{ presentationId: soon, notificationType: 'warning' }])
  })

  it('writes an announcement as one row that every user sees', async () => {
    await insertAnnouncement(rows.database, {
      title: 'Title',
      message: 'Message',
      notification_type: 'warning',
    })
    for (const userId of ['frank', 'grace', "o'hara", 'a b'])
      expect(await newsOf(userId)).toMatchObject({ unread: 1, general: [{ channel: 'general' }] })
    const stored = await rows.database.query(
      `select 1 from gateway.notifications where channel = 'general'`,
    )
    expect(stored).toHaveLength(1)
  })
})

describe('the cursor of a stream', () => {
  it('is short and opaque, and valid for its user only', () => {
    const position = { own: 999_999_999, general: 12_345_678 }
    const cursor = encodeStreamCursor(position, 'x'.repeat(255))
    expect(cursor.length).toBeLessThanOrEqual(128)
    expect(cursor).toMatch(/^[\w-]+$/)
    expect(decodeStreamCursor(cursor, 'x'.repeat(255))).toEqual(position)
    for (const [text, userId] of [
      [cursor, 'y'],
      [`${cursor}x`, 'x'.repeat(255)],
      [cursor.slice(1), 'x'.repeat(255)],
      ['', 'y'],
      ['x'.repeat(129), 'y'],
      [Buffer.from('1.2').toString('base64url'), 'y'],
      [Buffer.from('-1.2.x').toString('base64url'), 'y'],
    ] as const)
      expect(decodeStreamCursor(text, userId), text).toBeUndefined()
  })
})
