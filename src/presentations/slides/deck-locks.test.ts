// What the holder of a lock knows without the database.

import { expect, test, vi } from 'vitest'
import { createDeckLocks } from './deck-locks.ts'

test('a holder that was paused during its statement does not write', async () => {
  let nowMs = 0
  let pauseMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const query = async <Row>() => {
    nowMs += pauseMs
    return [{}] as Row[]
  }
  const locks = createDeckLocks({
    leaseMs: 1_000,
    database: { query, transaction: (work) => work({ query }) },
  })
  const take = () =>
    locks.takeAtOnce({
      own: { userId: 'alice', id: 'a' },
      ...{ deckId: 'd', account: null, revision: 1, slideCount: 3 },
    })
  const deck = await take()
  expect(() => deck?.checkHeld()).not.toThrow()
  nowMs += 999
  expect(() => deck?.checkHeld()).not.toThrow()
  nowMs += 1
  expect(() => deck?.checkHeld()).toThrow('does not allow')
  await deck?.noteIntent()
  expect(() => deck?.checkHeld()).not.toThrow()
  pauseMs = 1_000
  await deck?.noteIntent()
  expect(() => deck?.checkHeld()).toThrow('does not allow')
  const other = await take()
  expect(() => other?.checkHeld()).toThrow('does not allow')
  await deck?.release()
  await other?.release()
  vi.restoreAllMocks()
})
