import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { lockAdmission } from '../presentations/statements/insert.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { readUsage } from '../usage/read-usage.ts'
import { type Database, openDatabase } from './connection.ts'
import * as ledger from './ledger.ts'
import type { Quotas } from './quota-usage.ts'
import type { ExtraStatement } from './run-write.ts'

const unlimited: Quotas = {
  perHour: 0,
  perDay: 0,
  total: 0,
  totalSlides: 0,
  systemPerDay: 0,
}

describe('the ledger', () => {
  let rows: TestRows
  let replicas: Database[]
  beforeAll(async () => {
    rows = await openTestRows()
    replicas = [1, 2, 3].map(() => openDatabase({ url: rows.url, poolMax: 10 }))
  })
  afterEach(() => rows.database.query('truncate gateway.ledger'))
  afterAll(async () => {
    await Promise.all(replicas.map((replica) => replica.close()))
    await rows.close()
  })

  const quotas = (some: Partial<Quotas>) => ({ ...unlimited, ...some })

  async function reserve(
    some: Partial<Quotas> = {},
    { userId = 'alice', slides = 1, id = randomUUID() as string, on = rows.database } = {},
  ) {
    await on.transaction(async (client) => {
      await lockAdmission(client)
      await ledger.reserve(client, { userId, presentationId: id, slides }, quotas(some))
    })
    return id
  }

  /** What a worker, or an owner, writes at the end of a run. */
  const apply = ({ text, values }: ExtraStatement, id: string) =>
    rows.database.query(text, [id, ...values])
  const age = (seconds: number) =>
    rows.database.query(
      `update gateway.ledger set accepted_at = accepted_at - $1 * interval '1 second'`,
      [seconds],
    )

  async function outcomes(work: Promise<unknown>[]) {
    const settled = await Promise.allSettled(work)
    const codes = settled.map((one) =>
      one.status === 'fulfilled' ? 'accepted' : (one.reason as { code: string }).code,
    )
    return Object.fromEntries(
      [...new Set(codes)].map((code) => [code, codes.filter((one) => one === code).length]),
    )
  }

  it.each([
    ['perHour', 'QUOTA_EXCEEDED'],
    ['perDay', 'QUOTA_EXCEEDED'],
    ['systemPerDay', 'QUOTA_EXCEEDED'],
    ['total', 'QUOTA_EXHAUSTED'],
    ['totalSlides', 'QUOTA_EXHAUSTED'],
  ] as const)(
    'accepts exactly as many as %s leaves, of ten times as many at once on three replicas',
    async (quota, code) => {
      await reserve({})
      const asked = Array.from({ length: 40 }, (_, n) =>
        reserve({ [quota]: 5 }, { on: replicas[n % 3]! }),
      )
      expect(await outcomes(asked)).toEqual({ accepted: 4, [code]: 36 })
    },
  )

  it('counts each user apart, and the whole installation together', async () => {
    await reserve({ perHour: 1 }, { userId: 'alice' })
    await reserve({ perHour: 1 }, { userId: 'bob' })
    expect(await outcomes([reserve({ perHour: 1, systemPerDay: 3 }, { userId: 'carol' })])).toEqual(
      { accepted: 1 },
    )
    expect(await outcomes([reserve({ systemPerDay: 3 }, { userId: 'dave' })])).toEqual({
      QUOTA_EXCEEDED: 1,
    })
  })

  it('refuses more slides than are left in all, and takes just as many', async () => {
    await reserve({ totalSlides: 10 }, { slides: 7 })
    expect(await outcomes([reserve({ totalSlides: 10 }, { slides: 4 })])).toEqual({
      QUOTA_EXHAUSTED: 1,
    })
    expect(await outcomes([reserve({ totalSlides: 10 }, { slides: 3 })])).toEqual({ accepted: 1 })
  })

  const waitOf = (work: Promise<unknown>) =>
    work.then(
      () => 0,
      (error: { retryAfterSeconds: number }) => error.retryAfterSeconds,
    )

  it('says how long to wait, and after that, and no second earlier, there is room', async () => {
    const limits = { perHour: 3 }
    for (const ago of [600, 300, 0]) {
      await reserve(limits)
      await age(ago)
    }
    // The oldest is now 15 minutes old.
    const wait = await waitOf(reserve(limits))
    expect(wait).toBeGreaterThan(2_690)
    expect(wait).toBeLessThanOrEqual(2_700)
    await age(wait - 5)
    expect(await waitOf(reserve(limits))).toBeGreaterThanOrEqual(1)
    await age(5)
    expect(await waitOf(reserve(limits))).toBe(0)
    expect(await waitOf(reserve(limits))).toBeGreaterThan(0)
  })

  it('waits for enough to leave when the limit was lowered, and for the longer one of two windows', async () => {
    for (let n = 0; n < 4; n += 1) {
      await reserve()
      await age(60)
    }
    // 240, 180, 120 and 60 s old: with a limit of two the one of 120 s has to leave.
    const hour = await waitOf(reserve({ perHour: 2 }))
    expect(hour).toBeGreaterThan(3_470)
    expect(hour).toBeLessThanOrEqual(3_480)
    expect(await waitOf(reserve({ perHour: 2, perDay: 4 }))).toBeGreaterThan(86_000)
    expect(await waitOf(reserve({ perHour: 2, systemPerDay: 4 }))).toBeGreaterThan(86_000)
    await age(hour)
    expect(await waitOf(reserve({ perHour: 2 }))).toBe(0)
  })

  it.each([
    ['failed before any paid stage', [ledger.settleFailed(0)], 'given back'],
    [
      'failed in a paid stage, without a slide',
      [ledger.markPaid, ledger.settleFailed(0)],
      'given back',
    ],
    [
      'failed after two slides of five',
      [ledger.markPaid, ledger.markFirstSlide, ledger.settleFailed(2)],
      { hour: 1, total: 1, slides: 2 },
    ],
    ['cancelled before any paid stage', [ledger.settleCancelled], 'given back'],
    [
      'cancelled in a paid stage',
      [ledger.markPaid, ledger.settleCancelled],
      { hour: 1, total: 1, slides: 5 },
    ],
    ['deleted before any paid stage', [ledger.settleDeleted], 'given back'],
    [
      'deleted in a paid stage',
      [ledger.markPaid, ledger.settleDeleted],
      { hour: 1, total: 0, slides: 0 },
    ],
    [
      'completed with seven slides',
      [ledger.markPaid, ledger.markFirstSlide, ledger.settleSlides(7)],
      { hour: 1, total: 1, slides: 7 },
    ],
  ] as [
    string,
    ExtraStatement[],
    { hour: number; total: number; slides: number } | 'given back',
  ][])('counts rightly what %s', async (_, settlement, expected) => {
    const id = await reserve({}, { slides: 5 })
    for (const one of settlement) await apply(one, id)
    const { perHour, perDay, total, totalSlides } = await readUsage(
      rows.database,
      'alice',
      unlimited,
    )
    const given = expected === 'given back' ? { hour: 0, total: 0, slides: 0 } : expected
    expect({ hour: perHour.used, total: total.used, slides: totalSlides.used }).toEqual(given)
    expect(perDay.used).toBe(perHour.used)
    const isGivenBack = await rows.database.transaction((client) =>
      ledger.isReservationReleased(client, id),
    )
    expect(isGivenBack).toBe(expected === 'given back' || expected.total === 0)
  })

  it('reserves anew, as of now, what was given back', async () => {
    const id = await reserve({}, { slides: 5 })
    await apply(ledger.markPaid, id)
    await apply(ledger.settleFailed(0), id)
    await age(3_000)
    await reserve({}, { id, slides: 4 })
    const usage = await readUsage(rows.database, 'alice', unlimited)
    expect(usage).toMatchObject({
      perHour: { used: 1 },
      total: { used: 1 },
      totalSlides: { used: 4 },
    })
    // As if nothing had been paid before.
    await apply(ledger.settleCancelled, id)
    expect((await readUsage(rows.database, 'alice', unlimited)).perHour.used).toBe(0)
  })

  it('changes the number of slides within what is left, and fewer always', async () => {
    const limits = quotas({ totalSlides: 10 })
    const id = await reserve({}, { slides: 4 })
    await reserve({}, { slides: 4 })
    const change = (slides: number) =>
      rows.database.transaction((client) =>
        ledger.reserveSlides(client, { userId: 'alice', presentationId: id, slides }, limits),
      )
    await change(6)
    await expect(change(7)).rejects.toMatchObject({ code: 'QUOTA_EXHAUSTED' })
    await reserve({}, { slides: 9 })
    await change(5)
    expect((await readUsage(rows.database, 'alice', limits)).totalSlides).toMatchObject({
      used: 18,
      remaining: 0,
    })
  })

  it('tells how much is used and left, and when a window begins to free itself', async () => {
    const limits = quotas({ perHour: 2, total: 5 })
    expect(await readUsage(rows.database, 'alice', limits)).toEqual({
      perHour: { limit: 2, used: 0, remaining: 2, resetsAt: null },
      perDay: { limit: null, used: 0, remaining: null, resetsAt: null },
      total: { limit: 5, used: 0, remaining: 5, resetsAt: null },
      totalSlides: { limit: null, used: 0, remaining: null, resetsAt: null },
    })
    await reserve({}, { slides: 3 })
    await age(7_200)
    await reserve({}, { slides: 3 })
    const { perHour, perDay, total, totalSlides } = await readUsage(rows.database, 'alice', limits)
    expect([perHour, perDay, total, totalSlides].map(({ used }) => used)).toEqual([1, 2, 2, 6])
    expect([perHour.remaining, total.remaining]).toEqual([1, 3])
    const inSeconds = (time: Date | null) =>
      Math.round(((time?.getTime() ?? 0) - Date.now()) / 1000)
    expect(inSeconds(perHour.resetsAt)).toBeGreaterThan(3_590)
    expect(inSeconds(perDay.resetsAt)).toBeGreaterThan(86_400 - 7_210)
    expect(inSeconds(perDay.resetsAt)).toBeLessThanOrEqual(86_400 - 7_200)
  })

  it('forgets what no window looks back at any more, and nothing that is still kept', async () => {
    const id = await rows.insert()
    await reserve({}, { id })
    await apply(ledger.settleDeleted, await reserve())
    await age(47 * 3_600)
    await ledger.pruneLedger(rows.database)
    expect(await rows.database.query('select 1 from gateway.ledger')).toHaveLength(2)
    await age(2 * 3_600)
    await ledger.pruneLedger(rows.database)
    expect(await rows.database.query('select presentation_id as id from gateway.ledger')).toEqual([
      { id },
    ])
  })
})
