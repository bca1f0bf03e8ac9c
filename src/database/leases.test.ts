import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { claim, hasClaimable, releaseLease, renew } from './leases.ts'

const slots = { maxRunning: 5, maxRunningPerUser: 2, leaseMs: 60_000 }

describe('leases', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterEach(() =>
    rows.database.query(
      'truncate gateway.presentations, gateway.leases, gateway.events, gateway.files',
    ),
  )
  afterAll(() => rows.close())

  const expire = (id: string) =>
    rows.database.query(
      `update gateway.leases set expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )

  it('gives a queued run to exactly one of many workers that ask at once', async () => {
    const id = await rows.insert()
    const claimed = await Promise.all(Array.from({ length: 5 }, () => claim(rows.database, slots)))
    expect(claimed.filter(Boolean).map((run) => run?.id)).toEqual([id])
    expect(await hasClaimable(rows.database)).toBe(false)
  })

  it('never runs more than the caps allow, in all and per user, however many ask', async () => {
    for (let n = 0; n < 4; n += 1)
      for (const userId of ['a', 'b', 'c', 'd']) await rows.insert({ userId })
    const claimed = (
      await Promise.all(Array.from({ length: 12 }, () => claim(rows.database, slots)))
    ).filter((run) => run !== undefined)
    expect(claimed).toHaveLength(slots.maxRunning)
    for (const userId of ['a', 'b', 'c', 'd']) {
      expect(claimed.filter((run) => run.userId === userId).length).toBeLessThanOrEqual(
        slots.maxRunningPerUser,
      )
    }
  })

  it('leaves slots free rather than give one user more than its own', async () => {
    for (let n = 0; n < 4; n += 1) await rows.insert({ userId: 'alone' })
    const claimed = await Promise.all(Array.from({ length: 4 }, () => claim(rows.database, slots)))
    expect(claimed.filter(Boolean)).toHaveLength(slots.maxRunningPerUser)
  })

  it('lets users take turns, so that one with twenty queued does not keep back one with one', async () => {
    for (let n = 0; n < 20; n += 1) await rows.insert({ userId: 'many' })
    await rows.insert({ userId: 'one' })
    const one = { ...slots, maxRunning: 1 }
    const order: string[] = []
    for (let n = 0; n < 4; n += 1) {
      const run = await claim(rows.database, one)
      order.push(run?.userId ?? 'none')
      await rows.database.query(
        `update gateway.presentations set status = 'completed' where id = $1`,
        [run?.id],
      )
    }
    expect(order).toEqual(['many', 'one', 'many', 'many'])
  })

  it('puts a newcomer behind the turn being served, not behind all who wait', async () => {
    const one = { ...slots, maxRunning: 1 }
    for (let n = 0; n < 6; n += 1) await rows.insert({ userId: 'many' })
    for (let n = 0; n < 3; n += 1) {
      const run = await claim(rows.database, one)
      await rows.database.query(
        `update gateway.presentations set status = 'completed' where id = $1`,
        [run?.id],
      )
    }
    await rows.insert({ userId: 'late' })
    expect((await claim(rows.database, one))?.userId).toBe('many')
    await rows.database.query(
      `update gateway.presentations set status = 'completed' where status = 'running'`,
    )
    expect((await claim(rows.database, one))?.userId).toBe('late')
  })

  it('hands a run whose lease expired to another worker, counts the takeover, and fences the first', async () => {
    const id = await rows.insert()
    const first = await claim(rows.database, slots)
    await expire(id)
    const second = await claim(rows.database, slots)
    expect(second).toMatchObject({ id, takeovers: 1 })
    expect(await renew(rows.database, new Map([[id, first?.token ?? '']]), 60_000)).toEqual(
      new Set(),
    )
    expect(await renew(rows.database, new Map([[id, second?.token ?? '']]), 60_000)).toEqual(
      new Set([id]),
    )
  })

  it('renews an expired lease that nobody took', async () => {
    const id = await rows.insert()
    const run = await claim(rows.database, slots)
    await expire(id)
    expect(await renew(rows.database, new Map([[id, run?.token ?? '']]), 60_000)).toEqual(
      new Set([id]),
    )
    expect(await claim(rows.database, slots)).toBeUndefined()
  })

  it('leaves a lease alone of which hardly anything is over', async () => {
    const id = await rows.insert()
    const run = await claim(rows.database, slots)
    const held = new Map([[id, run?.token ?? '']])
    const end = async () =>
      (
        await rows.database.query<{ at: Date }>('select expires_at as at from gateway.leases')
      )[0]?.at.getTime()
    const claimed = await end()
    expect(await renew(rows.database, held, slots.leaseMs)).toEqual(new Set([id]))
    expect(await end()).toBe(claimed)
    await rows.database.query(
      `update gateway.leases set expires_at = clock_timestamp() + interval '47 seconds'`,
    )
    expect(await renew(rows.database, held, slots.leaseMs)).toEqual(new Set([id]))
    expect(await end()).toBeGreaterThanOrEqual(claimed ?? Number.POSITIVE_INFINITY)
  })

  it('waits for no row that is just being written: its lease stays ours, and is renewed the next time', async () => {
    const ids = [await rows.insert({ userId: 'a' }), await rows.insert({ userId: 'b' })]
    const held = new Map<string, string>()
    for (const _ of ids) {
      const run = await claim(rows.database, slots)
      held.set(run?.id ?? '', run?.token ?? '')
    }
    const left = async () => {
      const found = await rows.database.query<{ id: string; s: number }>(
        'select presentation_id as id, extract(epoch from expires_at - clock_timestamp())::float8 as s from gateway.leases',
      )
      return new Map(found.map(({ id, s }) => [id, s]))
    }
    const [busy = '', free = ''] = ids
    await rows.database.transaction(async (client) => {
      await client.query(
        'update gateway.leases set last_seq = last_seq where presentation_id = $1',
        [busy],
      )
      expect(await renew(rows.database, held, 600_000)).toEqual(new Set(ids))
      const before = await left()
      expect(before.get(busy)).toBeLessThan(61)
      expect(before.get(free)).toBeGreaterThan(500)
    })
    expect(await renew(rows.database, held, 600_000)).toEqual(new Set(ids))
    expect((await left()).get(busy)).toBeGreaterThan(500)
  })

  it('counts a handed back run as no takeover, and gives it out again at once, even with all slots taken', async () => {
    const id = await rows.insert()
    const first = await claim(rows.database, slots)
    await releaseLease(rows.database, { id, token: first?.token ?? '' })
    expect(await claim(rows.database, { ...slots, maxRunning: 1 })).toMatchObject({
      id,
      takeovers: 0,
    })
  })

  it('counts the time of a run from its first claim', async () => {
    const id = await rows.insert()
    await claim(rows.database, slots)
    await rows.database.query(
      `update gateway.presentations set run_started_at = now() - interval '90 seconds' where id = $1`,
      [id],
    )
    await expire(id)
    expect((await claim(rows.database, slots))?.usedMs).toBeGreaterThanOrEqual(90_000)
  })

  it('finds a claim again whose answer was lost, without a takeover', async () => {
    const id = await rows.insert()
    const token = crypto.randomUUID()
    const lost = await claim(rows.database, { ...slots, token })
    expect(await claim(rows.database, slots)).toBeUndefined()
    expect(await claim(rows.database, { ...slots, token })).toMatchObject({
      id,
      token,
      takeovers: 0,
      lastSeq: 1,
    })
    expect(lost).toMatchObject({ id, takeovers: 0 })
  })

  it('leaves expired leases to their holders when asked to, and takes what was handed back all the same', async () => {
    const crashed = await rows.insert()
    await claim(rows.database, slots)
    const left = await rows.insert()
    const run = await claim(rows.database, slots)
    await expire(crashed)
    await releaseLease(rows.database, { id: left, token: run?.token ?? '' })
    const cautious = { ...slots, takeOver: false }
    expect(await claim(rows.database, cautious)).toMatchObject({ id: left })
    expect(await claim(rows.database, cautious)).toBeUndefined()
    expect(await claim(rows.database, slots)).toMatchObject({ id: crashed, takeovers: 1 })
  })
})
