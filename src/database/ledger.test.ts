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
      await client.query(lockAdmission)
      await ledger.reserve(client, { userId, presentationId: id, slides }, quotas(some))
    })
    return id
  }

  /** Runs a statement that a worker or a command adds to its write. */
  const apply = ({ text, values }: ExtraStatement, id: string) =>
    rows.database.query(text, [id, ...values])
  const age = (seconds: number) =>
    rows.database.query(
      `update gateway.ledger set accepted_at = accepted_at - $1 * interval '1 second'`,
      [seconds],
    )

  async function outcomes(work: Promise<unknown>[]) {
    const settled = await Promise.allSettled(work)
    const codes = settled.map((result) =>
      result.status === 'fulfilled' ? 'accepted' : (result.reason as { code: string }).code,
    )
    return Object.fromEntries(
      [...new Set(codes)].map((code) => [code, codes.filter((other) => other === code).length]),
    )
  }

  it.each([
    ['perHour', 'QUOTA_EXCEEDED'],
    ['perDay', 'QUOTA_EXCEEDED'],
    ['systemPerDay', 'QUOTA_EXCEEDED'],
    ['total', 'QUOTA_EXHAUSTED'],
    ['totalSlides', 'QUOTA_EXHAUSTED'],
  ] as const)(
    'accepts exactly as many concurrent reservations as %s allows, over three replicas',
    async (quota, code) => {
      await reserve({})
      const attempts = Array.from({ length: 40 }, (_, n) =>
        reserve({ [quota]: 5 }, { on: replicas[n % 3]! }),
      )
      expect(await outcomes(attempts)).toEqual({ accepted: 4, [code]: 36 })
    },
  )

  it('counts each user separately, and all users together for the system quota', async () => {
    await reserve({ perHour: 1 }, { userId: 'alice' })
    await reserve({ perHour: 1 }, { userId: 'bob' })
    expect(await outcomes([reserve({ perHour: 1, systemPerDay: 3 }, { userId: 'carol' })])).toEqual(
      { accepted: 1 },
    )
    expect(await outcomes([reserve({ systemPerDay: 3 }, { userId: 'dave' })])).toEqual({
      QUOTA_EXCEEDED: 1,
    })
  })

  it('accepts as many slides as the total quota leaves, and refuses more', async () => {
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

  it('returns the exact time until the quota allows one more', async () => {
    const limits = { perHour: 3 }
    for (const ago of [600, 300, 0]) {
      await reserve(limits)
      await age(ago)
    }
    // The oldest entry is now 15 minutes old.
    const wait = await waitOf(reserve(limits))
    expect(wait).toBeGreaterThan(2_690)
    expect(wait).toBeLessThanOrEqual(2_700)
    await age(wait - 5)
    expect(await waitOf(reserve(limits))).toBeGreaterThanOrEqual(1)
    await age(5)
    expect(await waitOf(reserve(limits))).toBe(0)
    expect(await waitOf(reserve(limits))).toBeGreaterThan(0)
  })

  it('returns the time until enough entries expire after the limit was lowered, for the longest window', async () => {
    for (let n = 0; n < 4; n += 1) {
      await reserve()
      await age(60)
    }
    // The entries are 240, 180, 120 and 60 s old. With a limit of two, the one of 120 s must
    // expire.
    const hour = await waitOf(reserve({ perHour: 2 }))
    expect(hour).toBeGreaterThan(3_470)
    expect(hour).toBeLessThanOrEqual(3_480)
    expect(await waitOf(reserve({ perHour: 2, perDay: 4 }))).toBeGreaterThan(86_000)
    expect(await waitOf(reserve({ perHour: 2, systemPerDay: 4 }))).toBeGreaterThan(86_000)
    await age(hour)
    expect(await waitOf(reserve({ perHour: 2 }))).toBe(0)
  })

  it.each([
    ['failed before any paid stage', [ledger.settleFailed(0)], 'released'],
    [
      'failed in a paid stage, without a slide',
      [ledger.markPaid, ledger.settleFailed(0)],
      'released',
    ],
    [
      'failed after two slides of five',
      [ledger.markPaid, ledger.markFirstSlide, ledger.settleFailed(2)],
      { hour: 1, total: 1, slides: 2 },
    ],
    ['was cancelled before any paid stage', [ledger.settleCancelled], 'released'],
    [
      'was cancelled in a paid stage',
      [ledger.markPaid, ledger.settleCancelled],
      { hour: 1, total: 1, slides: 5 },
    ],
    ['was deleted before any paid stage', [ledger.settleDeleted], 'released'],
    [
      'was deleted in a paid stage',
      [ledger.markPaid, ledger.settleDeleted],
      { hour: 1, total: 0, slides: 0 },
    ],
    [
      'completed with seven slides',
      [ledger.markPaid, ledger.markFirstSlide, ledger.settleSlides(7)],
      { hour: 1, total: 1, slides: 7 },
    ],
  ] as [string, ExtraStatement[], { hour: number; total: number; slides: number } | 'released'][])(
    'counts a run that %s',
    async (_, settlement, expected) => {
      const id = await reserve({}, { slides: 5 })
      for (const statement of settlement) await apply(statement, id)
      const { perHour, perDay, total, totalSlides } = await readUsage(
        rows.database,
        'alice',
        unlimited,
      )
      const counts = expected === 'released' ? { hour: 0, total: 0, slides: 0 } : expected
      expect({ hour: perHour.used, total: total.used, slides: totalSlides.used }).toEqual(counts)
      expect(perDay.used).toBe(perHour.used)
      const isReleased = await rows.database.transaction((client) =>
        ledger.isReservationReleased(client, id),
      )
      expect(isReleased).toBe(expected === 'released' || expected.total === 0)
    },
  )

  it('reserves a released entry again, with the current time', async () => {
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
    // The new reservation is not marked as paid, so a cancel releases it.
    await apply(ledger.settleCancelled, id)
    expect((await readUsage(rows.database, 'alice', unlimited)).perHour.used).toBe(0)
  })

  it('changes the reserved slides within the quota, and always accepts fewer', async () => {
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

  it('returns usage, the remaining quota and the time of the next expiry', async () => {
    const limits = quotas({ perHour: 2, total: 5 })
    expect(await readUsage(rows.database, 'alice', limits)).toMatchObject({
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

  it('prunes entries outside all windows, except those of existing presentations', async () => {
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
