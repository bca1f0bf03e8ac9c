// Streams of notifications that resume: many missed ones, and cursors that are no good.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { openReader } from '../sandbox/reader.ts'
import type { User } from './user.ts'
import { openWorld, type World } from './world.ts'

let world: World
beforeAll(async () => {
  world = await openWorld()
})
afterAll(() => world.close())

const listen = (user: User, { query = '', lastEventId = '' } = {}) =>
  openReader(`${world.url}/api/v1/realtime/sse/notifications${query}`, {
    token: user.token,
    ...(lastEventId && { lastEventId }),
  })

test('gives each of more than a hundred missed notifications once, in their order', async () => {
  const user = await world.createUser()
  await user.generate()
  const first = await listen(user)
  await first.expectNext('connected')
  const { cursor } = (await first.expectNext('notification')).data
  first.close()
  await world.query(
    `with head as (update gateway.notification_channels set last_seq = last_seq + 250
       where channel = $1 returning last_seq)
     insert into gateway.notifications (channel, seq, notification_type, priority, category, title, message, data)
     select $1, last_seq - 250 + n, 'info', 'normal', 'system', n::text, '', '{}'
     from head, generate_series(1, 250) n`,
    [`user_${user.sub}`],
  )
  for (const given of [{ lastEventId: cursor }, { query: `?last_event_id=${cursor}` }]) {
    const again = await listen(user, given)
    await again.expectNext('connected')
    for (let n = 1; n <= 250; n += 1)
      expect((await again.expectNext('notification')).data.title).toBe(String(n))
    again.close()
  }
})

test('answers a bad cursor with resync, by header and by query, then as without one', async () => {
  const user = await world.createUser()
  await user.generate()
  for (const cursor of ['unknown', 'x'.repeat(129), 'x'.repeat(4_000)])
    for (const given of [{ lastEventId: cursor }, { query: `?last_event_id=${cursor}` }]) {
      const reader = await listen(user, given)
      await reader.expectNext('connected')
      expect((await reader.expectNext('resync')).data).toMatchObject({ unread: 1 })
      await reader.expectNext('notification')
      reader.close()
    }
})
