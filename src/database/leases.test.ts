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
      'truncate gateway.presentations, gateway.leases, gateway.events, gateway.files cascade',
    ),
  )
  afterAll(() => rows.close())

  const expire = (id: string) =>
    rows.database.query(
      `update gateway.leases set expires_at = now() - interval '1 second' where presentation_id = $1`,
      [id],
    )

  it('lets exactly one of many concurrent claims have a queued run', async () => {
    const id = await rows.insert()
    const claimed = await Promise.all(Array.from({ length: 5 }, () => claim(rows.database, slots)))
    expect(claimed.filter(Boolean).map((run) => run?.id)).toEqual([id])
    expect(await hasClaimable(rows.database)).toBe(false)
  })

  it('never exceeds the limits in total and per user under concurrent claims', async () => {
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

  it('leaves slots free rather than exceed the limit of a user', async () => {
    for (let n = 0; n < 4; n += 1) await rows.insert({ userId: 'alice' })
    const claimed = await Promise.all(Array.from({ length: 4 }, () => claim(rows.database, slots)))
    expect(claimed.filter(Boolean)).toHaveLength(slots.maxRunningPerUser)
  })

  it('alternates between users, so that 20 queued runs of one do not block another', async () => {
    for (let n = 0; n < 20; n += 1) await rows.insert({ userId: 'many' })
    await rows.insert({ userId: 'one' })
    const oneSlot = { ...slots, maxRunning: 1 }
    const order: string[] = []
    for (let n = 0; n < 4; n += 1) {
      const run = await claim(rows.database, oneSlot)
      order.push(run?.userId ?? 'none')
      await rows.database.query(
        `update gateway.presentations set status = 'completed' where id = $1`,
        [run?.id],
      )
    }
    expect(order).toEqual(['many', 'one', 'many', 'many'])
  })

  it('queues a new user behind the current round, not behind all queued runs', async () => {
    const oneSlot = { ...slots, maxRunning: 1 }
    for (let n = 0; n < 6; n += 1) await rows.insert({ userId: 'many' })
    for (let n = 0; n < 3; n += 1) {
      const run = await claim(rows.database, oneSlot)
      await rows.database.query(
        `update gateway.presentations set status = 'completed' where id = $1`,
        [run?.id],
      )
    }
    await rows.insert({ userId: 'late' })
    expect((await claim(rows.database, oneSlot))?.userId).toBe('many')
    await rows.database.query(
      `update gateway.presentations set status = 'completed' where status = 'running'`,
    )
    expect((await claim(rows.database, oneSlot))?.userId).toBe('late')
  })

  it('lets another worker claim an expired lease, counts the takeover, and fences the first holder', async () => {
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

  it('renews an expired lease that no other worker has claimed', async () => {
    const id = await rows.insert()
    const run = await claim(rows.database, slots)
    await expire(id)
    expect(await renew(rows.database, new Map([[id, run?.token ?? '']]), 60_000)).toEqual(
      new Set([id]),
    )
    expect(await claim(rows.database, slots)).toBeUndefined()
  })

  it('does not write a lease that was renewed recently', async () => {
    const id = await rows.insert()
    const run = await claim(rows.database, slots)
    const held = new Map([[id, run?.token ?? '']])
    const readEnd = async () =>
      (
        await rows.database.query<{ at: Date }>('select expires_at as at from gateway.leases')
      )[0]?.at.getTime()
    const claimed = await readEnd()
    expect(await renew(rows.database, held, slots.leaseMs)).toEqual(new Set([id]))
    expect(await readEnd()).toBe(claimed)
    await rows.database.query(
      `update gateway.leases set expires_at = clock_timestamp() + interval '47 seconds'`,
    )
    expect(await renew(rows.database, held, slots.leaseMs)).toEqual(new Set([id]))
    expect(await readEnd()).toBeGreaterThanOrEqual(claimed ?? Number.POSITIVE_INFINITY)
  })

  it('skips a locked row, keeps its lease, and renews it the next time', async () => {
    const ids = [await rows.insert({ userId: 'a' }), await rows.insert({ userId: 'b' })]
    const held = new Map<string, string>()
    for (const _ of ids) {
      const run = await claim(rows.database, slots)
      held.set(run?.id ?? '', run?.token ?? '')
    }
    const readSecondsLeft = async () => {
      const found = await rows.database.query<{ id: string; s: number }>(
        'select presentation_id as id, extract(epoch from expires_at - clock_timestamp())::float8 as s from gateway.leases',
      )
      return new Map(found.map(({ id, s }) => [id, s]))
    }
    const [locked = '', free = ''] = ids
    await rows.database.transaction(async (client) => {
      await client.query(
        'update gateway.leases set last_seq = last_seq where presentation_id = $1',
        [locked],
      )
      expect(await renew(rows.database, held, 600_000)).toEqual(new Set(ids))
      const before = await readSecondsLeft()
      expect(before.get(locked)).toBeLessThan(61)
      expect(before.get(free)).toBeGreaterThan(500)
    })
    expect(await renew(rows.database, held, 600_000)).toEqual(new Set(ids))
    expect((await readSecondsLeft()).get(locked)).toBeGreaterThan(500)
  })

  it('lets a released run be claimed at once without a takeover, even with all slots taken', async () => {
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

  it('returns the same claim again for the same token, without a takeover', async () => {
    const id = await rows.insert()
    const token = crypto.randomUUID()
    const first = await claim(rows.database, { ...slots, token })
    expect(await claim(rows.database, slots)).toBeUndefined()
    expect(await claim(rows.database, { ...slots, token })).toMatchObject({
      id,
      token,
      takeovers: 0,
      lastSeq: 1,
    })
    expect(first).toMatchObject({ id, takeovers: 0 })
  })

  it('with takeOver false, skips expired leases but claims released runs', async () => {
    const crashed = await rows.insert()
    await claim(rows.database, slots)
    const released = await rows.insert()
    const run = await claim(rows.database, slots)
    await expire(crashed)
    await releaseLease(rows.database, { id: released, token: run?.token ?? '' })
    const withoutTakeover = { ...slots, takeOver: false }
    expect(await claim(rows.database, withoutTakeover)).toMatchObject({ id: released })
    expect(await claim(rows.database, withoutTakeover)).toBeUndefined()
    expect(await claim(rows.database, slots)).toMatchObject({ id: crashed, takeovers: 1 })
  })
})
