// The feed with many connections: an announcement reaches all, and no read is refused.

import { expect, test } from 'vitest'
import { createChannels } from '../database/channels.ts'
import { createNotificationFeed, type Listener } from './feed.ts'

const listenerCount = 5_000

function openFeed() {
  const troubles: unknown[] = []
  const channels = createChannels(undefined)
  let head = 0
  let reads = 0
  const feed = createNotificationFeed({
    database: {
      async query(text: string, values?: unknown[]) {
        if (!text.includes('unnest')) return [{ channel: 'general', lastSeq: head }] as never
        const users = values?.[0] as string[]
        reads += users.length
        await new Promise(setImmediate)
        return users.map(() => ({
          unread: 0,
          ownHead: 0,
          generalHead: head,
          own: [],
          general: [],
        })) as never
      },
    },
    channels,
    onTrouble: (error) => troubles.push(error),
    pollMs: 60_000,
  })
  const served = new Set<string>()
  for (let n = 0; n < listenerCount; n += 1) {
    const userId = `user${n}`
    let isBusy = false
    const listener: Listener = {
      userId,
      position: () => ({ own: 0, general: served.has(userId) ? 1 : 0 }),
      isBusy: () => isBusy,
      async wake() {
        isBusy = true
        await feed.read({ userId, own: 0, general: 0 }).then(
          () => served.add(userId),
          (error) => troubles.push(error),
        )
        isBusy = false
      },
      onChange: () => undefined,
      extraChannels: () => 0,
    }
    feed.add(listener)
  }
  return { feed, channels, troubles, served, reads: () => reads, announce: () => (head += 1) }
}

test('an announcement to thousands of connections refuses no read, and reads once for each', async () => {
  const { feed, channels, troubles, served, reads, announce } = openFeed()
  announce()
  channels.publish('notification', { id: 'general' })
  // A poll during that time wakes none that waits for its turn.
  await feed.poll()
  await expect.poll(() => served.size, { timeout: 60_000 }).toBe(listenerCount)
  expect(troubles).toEqual([])
  expect(reads()).toBe(listenerCount)
  feed.close()
})
