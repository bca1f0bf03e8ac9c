import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createChannels } from '../database/channels.ts'
import { openTestRows, type TestRows } from '../sandbox/rows.ts'
import { createAdmission } from './accept.ts'
import { readBrief } from './read-brief.ts'
import { findPresentation, type PresentationRow } from './statements/queries.ts'

const limits = { maxSlides: 20, maxContentChars: 1000 }
const unlimited = { perHour: 0, perDay: 0, total: 0, totalSlides: 0, systemPerDay: 0 }

describe('briefs that are accepted in one batch', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterEach(() =>
    rows.database.query(
      'truncate gateway.presentations, gateway.events, gateway.ledger, gateway.idempotency_keys cascade',
    ),
  )
  afterAll(() => rows.close())

  /** Posts of the same event-loop turn form one batch. Counts the transactions. */
  function open({ quotas = {}, queue = {} }: { quotas?: object; queue?: object } = {}) {
    const count = { transactions: 0 }
    const admission = createAdmission({
      database: {
        transaction: (work, first) => {
          count.transactions += 1
          return rows.database.transaction(work, first)
        },
      },
      channels: createChannels(undefined),
      queue: { maxQueued: 100, maxQueuedPerUser: 100, ...queue },
      quotas: { ...unlimited, ...quotas },
      knownTemplates: () => new Set(['general']),
    })
    const post = (
      userId: string,
      { key = '', template = 'general', content = 'A bridge.', wantsTwin = false } = {},
    ) =>
      admission.accept({
        userId,
        brief: readBrief({ content, n_slides: 2 }, limits, { template }),
        origin: wantsTwin ? 'mcp' : 'api',
        ...(wantsTwin && {
          respondWithTwin: (row) => ({ status: 200, location: '', body: row }),
        }),
        ...(key && { idempotency: { key, fingerprint: template } }),
        respond: (row) => ({ status: 202, location: '', body: row }),
      })
    return { post, count }
  }

  async function outcomes(work: Promise<{ body: unknown }>[]) {
    const settled = await Promise.allSettled(work)
    return settled.map((result) =>
      result.status === 'fulfilled'
        ? (result.value.body as PresentationRow).queuePosition
        : result.reason.code,
    )
  }
  const countRows = async (table: string) =>
    (await rows.database.query(`select 1 from gateway.${table}`)).length

  it('share one transaction, and each response is its stored row', async () => {
    const { post, count } = open()
    const responses = await Promise.all(
      ['alice', 'alice', 'bob', 'alice', 'bob', 'carol'].map((user) => post(user)),
    )
    expect(count.transactions).toBe(1)
    for (const { body } of responses) {
      const row = body as PresentationRow
      expect(await findPresentation(rows.database, row)).toEqual(row)
      const [event] = await rows.database.query(
        'select data from gateway.events where presentation_id = $1',
        [row.id],
      )
      expect(JSON.parse(event?.['data'])).toEqual({
        type: 'queued',
        position: row.queuePosition,
        run: 1,
      })
    }
    const positions = responses.map(({ body }) => (body as PresentationRow).queuePosition ?? 0)
    expect([...positions].sort()).toEqual([1, 2, 3, 4, 5, 6])
    const [first = 0, second = 0, bobs = 0, third = 0, bobsSecond = 0, carols = 0] = positions
    expect(Math.max(first, bobs, carols)).toBeLessThan(Math.min(second, bobsSecond))
    expect(third).toBe(6)
  })

  it.each([
    ['perHour', 'QUOTA_EXCEEDED'],
    ['perDay', 'QUOTA_EXCEEDED'],
    ['systemPerDay', 'QUOTA_EXCEEDED'],
    ['total', 'QUOTA_EXHAUSTED'],
  ])('are accepted in order until %s is used up', async (quota, code) => {
    const { post } = open({ quotas: { [quota]: 3 } })
    await post('alice')
    const work = [post('alice'), post('alice'), post('alice'), post('alice')]
    expect(await outcomes(work)).toEqual([2, 3, code, code])
    expect(await countRows('ledger')).toBe(3)
  })

  it('count the slides of the earlier ones', async () => {
    const { post } = open({ quotas: { totalSlides: 5 } })
    const work = [post('alice'), post('bob'), post('alice'), post('alice')]
    expect(await outcomes(work)).toEqual([
      expect.any(Number),
      expect.any(Number),
      3,
      'QUOTA_EXHAUSTED',
    ])
  })

  it('get the time until the quota allows one more', async () => {
    const { post } = open({ quotas: { perHour: 3 } })
    for (const seconds of [600, 1200]) {
      await post('alice')
      await rows.database.query(
        `update gateway.ledger set accepted_at = accepted_at - $1 * interval '1 second'`,
        [seconds],
      )
    }
    // Accepted 1,800 and 1,200 s ago: one more fits now, the next one when the oldest entry leaves
    // the window of an hour.
    const [, second] = await Promise.allSettled([post('alice'), post('alice')])
    const { retryAfterSeconds } = (second as PromiseRejectedResult).reason
    expect(retryAfterSeconds).toBeGreaterThan(1780)
    expect(retryAfterSeconds).toBeLessThanOrEqual(1800)
  })

  it('fill the queue exactly to its limits', async () => {
    const { post } = open({ queue: { maxQueued: 4, maxQueuedPerUser: 2 } })
    const work = ['alice', 'alice', 'alice', 'bob', 'carol', 'dave'].map((user) => post(user))
    const settled = await Promise.allSettled(work)
    const statuses = settled.map((result) =>
      result.status === 'fulfilled' ? 202 : (result.reason as { status: number }).status,
    )
    expect(statuses).toEqual([202, 202, 429, 202, 202, 503])
    expect(await countRows('presentations')).toBe(4)
  })

  it('with the key of a hanging request wait five seconds and then get CONFLICT', async () => {
    vi.useFakeTimers()
    try {
      const admission = createAdmission({
        database: { transaction: () => new Promise(() => undefined) },
        channels: createChannels(undefined),
        queue: { maxQueued: 100, maxQueuedPerUser: 100 },
        quotas: unlimited,
        knownTemplates: () => undefined,
      })
      const post = (key: string) =>
        admission
          .accept({
            userId: 'alice',
            brief: readBrief({ content: 'A bridge.', n_slides: 2 }, limits, {
              template: 'general',
            }),
            origin: 'api',
            idempotency: { key, fingerprint: 'one' },
            respond: (row) => ({ status: 202, location: '', body: row }),
          })
          .catch((error: unknown) => error)
      void post('key')
      await vi.advanceTimersByTimeAsync(0)
      const [repeat, other] = [post('key'), post('another')]
      await vi.advanceTimersByTimeAsync(5_000)
      expect(await repeat).toMatchObject({ code: 'CONFLICT', status: 409, retryAfterSeconds: 1 })
      expect(await other).toMatchObject({ code: 'DATABASE_UNAVAILABLE', status: 503 })
    } finally {
      vi.useRealTimers()
    }
  })

  describe('from a caller who would rather have an unfinished twin', () => {
    const idsOf = async (posts: Promise<{ body: unknown }>[]) =>
      (await Promise.all(posts)).map(({ body }) => (body as PresentationRow).id)

    it('return one presentation for one user and brief, within a batch and later', async () => {
      const { post } = open({ quotas: { total: 3 } })
      const twin = { wantsTwin: true }
      const [made, again, bobs, other] = await idsOf([
        post('alice'),
        post('alice', twin),
        post('bob', twin),
        post('alice', { ...twin, content: 'A ferry.' }),
      ])
      expect(again).toBe(made)
      expect(new Set([made, bobs, other]).size).toBe(3)
      expect(await idsOf([post('alice', twin), post('alice', twin)])).toEqual([made, made])
      expect(await idsOf([post('alice')])).not.toEqual([made])
      const origins = await rows.database.query(
        'select id, origin from gateway.presentations order by created_at, origin',
      )
      expect(origins.map(({ origin }) => origin)).toEqual(['api', 'mcp', 'mcp', 'api'])
    })

    it.each([
      ["status = 'completed'", 'completed'],
      ["status = 'failed'", 'failed'],
      ["status = 'cancelled'", 'cancelled'],
      ["status = 'running', run_kind = 'export'", 'exported again'],
      ["created_at = now() - interval '11 minutes'", 'older'],
    ])('make another when the first has %s', async (change) => {
      const { post } = open()
      const [first] = await idsOf([post('alice')])
      await rows.database.query(`update gateway.presentations set ${change} where id = $1`, [first])
      expect(await idsOf([post('alice', { wantsTwin: true })])).not.toEqual([first])
    })

    it.each([
      ["status = 'running'", 'running'],
      ["status = 'awaiting_outlines'", 'in review'],
      ["created_at = now() - interval '9 minutes'", 'young enough'],
    ])('return the first while it has %s', async (change) => {
      const { post } = open({ queue: { maxQueuedPerUser: 1 }, quotas: { total: 1 } })
      const [first] = await idsOf([post('alice')])
      await rows.database.query(`update gateway.presentations set ${change} where id = $1`, [first])
      expect(await idsOf([post('alice', { wantsTwin: true })])).toEqual([first])
    })
  })

  it('store the response of each key once, and none for refused requests', async () => {
    const { post, count } = open({ quotas: { total: 1 } })
    const work = () => [
      post('alice', { key: 'one' }),
      post('bob', { key: 'one' }),
      post('alice', { key: 'two' }),
      post('carol', { key: 'one', template: 'unknown' }),
      post('dave'),
    ]
    const codes = (all: PromiseSettledResult<{ replayed: boolean }>[]) =>
      all.map((result) =>
        result.status === 'fulfilled' ? result.value.replayed : result.reason.code,
      )
    expect(codes(await Promise.allSettled(work()))).toEqual([
      false,
      false,
      'QUOTA_EXHAUSTED',
      'VALIDATION_FAILED',
      false,
    ])
    expect(await countRows('idempotency_keys')).toBe(2)
    expect(codes(await Promise.allSettled(work()))).toEqual([
      true,
      true,
      'QUOTA_EXHAUSTED',
      'VALIDATION_FAILED',
      'QUOTA_EXHAUSTED',
    ])
    expect(count.transactions).toBe(2)
    const twice = await Promise.allSettled([
      post('erin', { key: 'k' }),
      post('erin', { key: 'k' }),
      post('erin', { key: 'k', template: 'x' }),
    ])
    expect(codes(twice)).toEqual([false, true, 'IDEMPOTENCY_KEY_REUSED'])
    // Requests with the same key run one after the other.
    expect(count.transactions).toBe(5)
    expect(await countRows('presentations')).toBe(4)
  })
})
