// Quotas compared with a model: random histories of briefs, work, failures, crashes, cancels,
// retries, deletes and waits run on real Postgres and on a small model of the rules.

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createChannels } from '../database/channels.ts'
import { createEndRun } from '../database/end-run.ts'
import { claim, type Run } from '../database/leases.ts'
import { markFirstSlide, markPaid, settleFailed, settleSlides } from '../database/ledger.ts'
import type { Quotas } from '../database/quota-usage.ts'
import { createRunLog } from '../database/run-log.ts'
import type { ExtraStatement, RunChanges } from '../database/run-write.ts'
import { Problem } from '../domain/problem.ts'
import { logEvent, openTestRows, type TestRows } from '../sandbox/rows.ts'
import { readUsage } from '../usage/read-usage.ts'
import { createAdmission } from './accept.ts'
import { createPresentationCommands } from './commands.ts'
import { readBrief } from './read-brief.ts'

const quotas: Quotas = { perHour: 3, perDay: 5, total: 4, totalSlides: 12, systemPerDay: 8 }
const users = ['alice', 'bob']
const slots = { maxRunning: 100, maxRunningPerUser: 100, leaseMs: 600_000 }
const respond = () => ({ status: 202, location: '', body: null })

let rows: TestRows
beforeAll(async () => {
  rows = await openTestRows()
})
afterAll(() => rows.close())

/** A presentation in the model. Times are minutes. */
interface Entry {
  id: string
  user: string
  status: 'active' | 'completed' | 'failed' | 'cancelled' | 'deleted'
  at: number
  nSlides: number
  /** Slides that count for the quota while the entry is kept. */
  slides: number
  slidesDone: number
  /** Counts per hour and per day. */
  accepted: boolean
  /** Counts in total. */
  kept: boolean
  /** A paid stage has started. */
  paid: boolean
  /** The first slide has arrived. */
  hasSlide: boolean
  /** All slides have arrived. */
  finished: boolean
}

function createModel() {
  const entries: Entry[] = []
  const model = {
    now: 0,
    entries,
    used: (user?: string, minutes = Infinity) =>
      entries.filter(
        (entry) =>
          (!user || entry.user === user) && entry.accepted && model.now - entry.at < minutes,
      ),
    kept: (user: string) => entries.filter((entry) => entry.user === user && entry.kept),
    slides: (user: string) => model.kept(user).reduce((sum, { slides }) => sum + slides, 0),
    /** The problem code and the minutes until the quota allows it, or undefined when accepted. */
    refusal(user: string, slides: number): Refusal | undefined {
      if (model.kept(user).length >= quotas.total) return { code: 'QUOTA_EXHAUSTED' }
      if (model.slides(user) + slides > quotas.totalSlides) return { code: 'QUOTA_EXHAUSTED' }
      const minutes = Math.max(
        waitFor(model.used(user, 60), quotas.perHour, 60),
        waitFor(model.used(user, 1440), quotas.perDay, 1440),
        waitFor(model.used(undefined, 1440), quotas.systemPerDay, 1440),
      )
      return minutes > 0 ? { code: 'QUOTA_EXCEEDED', minutes } : undefined
    },
  }
  /** Minutes until one more fits into the window. Tries every minute. */
  function waitFor(used: Entry[], limit: number, window: number) {
    let minutes = 0
    while (used.filter(({ at }) => model.now + minutes - at < window).length >= limit) minutes += 1
    return minutes
  }
  return model
}

interface Refusal {
  code: string
  minutes?: number
}

type Step = { action: string; pick: number; n: number }

const step = fc.record({
  action: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('pay', 'slide', 'fail', 'fail half-way', 'retry') },
    { weight: 3, arbitrary: fc.constant('accept') },
    {
      weight: 4,
      arbitrary: fc.constantFrom('finish', 'complete', 'crash', 'cancel', 'delete', 'wait'),
    },
  ),
  /** Selects the user, or one of the latest presentations. */
  pick: fc.nat(3),
  n: fc.integer({ min: 1, max: 5 }),
})

async function runHistory(steps: Step[]): Promise<void> {
  const { database } = rows
  await database.query(
    'truncate gateway.presentations, gateway.leases, gateway.files, gateway.events, gateway.ledger cascade',
  )
  const channels = createChannels(undefined)
  const queue = { maxQueued: 1000, maxQueuedPerUser: 1000 }
  const knownTemplates = () => undefined
  const admission = createAdmission({
    database,
    channels,
    queue,
    quotas,
    knownTemplates,
  })
  const commands = createPresentationCommands({
    ...{ database, channels, queue, quotas, knownTemplates },
    reportRemoval: async () => () => undefined,
    endRun: createEndRun(),
  })
  const model = createModel()
  const runs = new Map<string, Run>()

  /** The problem code and the seconds to wait, or undefined when the work succeeds. */
  async function refusalOf(work: Promise<unknown>) {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (error === undefined) return undefined
    if (!(error instanceof Problem)) throw error
    return { code: error.code, seconds: error.retryAfterSeconds }
  }
  function expectSame(
    actual: Awaited<ReturnType<typeof refusalOf>>,
    expected: Refusal | undefined,
  ) {
    expect(actual?.code).toBe(expected?.code)
    if (expected?.minutes === undefined) return
    // The history itself takes a few seconds.
    expect(actual?.seconds).toBeLessThanOrEqual(expected.minutes * 60)
    expect(actual?.seconds).toBeGreaterThan(expected.minutes * 60 - 30)
  }

  async function claimAll() {
    for (let run = await claim(database, slots); run; run = await claim(database, slots))
      runs.set(run.id, run)
  }
  async function write(
    id: string,
    changes: RunChanges,
    extraStatements: ExtraStatement[],
    isEnd = false,
  ) {
    const run = runs.get(id)!
    const log = createRunLog({
      database,
      channels,
      run,
      signal: new AbortController().signal,
      onLost: () => undefined,
    })
    const events = isEnd ? [logEvent('{}', true)] : []
    await log.commit({ events, changes, extraStatements, ...(isEnd && { release: true }) })
    run.lastSeq = log.seq()
  }

  async function accept(user: string, nSlides: number) {
    const before = new Set(
      (await database.query<{ id: string }>('select id from gateway.presentations')).map(
        ({ id }) => id,
      ),
    )
    const brief = readBrief(
      { content: 'text', n_slides: nSlides },
      { maxSlides: 20 },
      { template: 'general' },
    )
    const expected = model.refusal(user, nSlides)
    expectSame(
      await refusalOf(admission.accept({ userId: user, brief, origin: 'api', respond })),
      expected,
    )
    const after = await database.query<{ id: string }>('select id from gateway.presentations')
    const [created] = after.filter(({ id }) => !before.has(id))
    expect(created === undefined).toBe(expected !== undefined)
    if (!created) return
    model.entries.push({
      id: created.id,
      user,
      status: 'active',
      at: model.now,
      nSlides,
      slides: nSlides,
      slidesDone: 0,
      accepted: true,
      kept: true,
      paid: false,
      hasSlide: false,
      finished: false,
    })
    await claimAll()
  }

  async function retry(entry: Entry) {
    const owned = { userId: entry.user, id: entry.id }
    const retried = await refusalOf(commands.retry(owned, { respond }))
    if (entry.status === 'deleted') return expectSame(retried, { code: 'NOT_FOUND' })
    if (entry.status !== 'failed' && entry.status !== 'cancelled')
      return expectSame(retried, { code: 'CONFLICT' })
    let refusal: Refusal | undefined
    if (!entry.kept) refusal = model.refusal(entry.user, entry.nSlides)
    else if (
      !entry.finished &&
      entry.nSlides > entry.slides &&
      model.slides(entry.user) - entry.slides + entry.nSlides > quotas.totalSlides
    ) {
      refusal = { code: 'QUOTA_EXHAUSTED' }
    }
    expectSame(retried, refusal)
    if (refusal) return
    if (!entry.kept)
      Object.assign(entry, {
        at: model.now,
        accepted: true,
        kept: true,
        paid: false,
        hasSlide: false,
      })
    if (!entry.finished) entry.slides = entry.nSlides
    entry.status = 'active'
    await claimAll()
  }

  async function cancel(entry: Entry) {
    const expected = {
      deleted: 'NOT_FOUND',
      completed: 'CONFLICT',
      failed: 'CONFLICT',
      active: undefined,
      cancelled: undefined,
    }[entry.status]
    const actual = await refusalOf(commands.cancel({ userId: entry.user, id: entry.id }))
    expectSame(actual, expected === undefined ? undefined : { code: expected })
    if (entry.status !== 'active') return
    entry.status = 'cancelled'
    if (!entry.paid) entry.accepted = entry.kept = false
  }

  async function remove(entry: Entry) {
    const actual = await refusalOf(commands.remove({ userId: entry.user, id: entry.id }))
    expectSame(actual, entry.status === 'deleted' ? { code: 'NOT_FOUND' } : undefined)
    entry.status = 'deleted'
    entry.kept = false
    if (!entry.paid) entry.accepted = false
  }

  async function work(action: string, entry: Entry, n: number) {
    if (entry.status !== 'active') return
    if (action === 'crash') {
      await database.query(
        `update gateway.leases set expires_at = now() - interval '1 second' where presentation_id = $1`,
        [entry.id],
      )
      await claimAll()
    } else if (action === 'pay') {
      entry.paid = true
      await write(entry.id, { stage: 'outlines' }, [markPaid])
    } else if (action === 'slide' && entry.paid && !entry.finished) {
      entry.hasSlide = true
      entry.slidesDone += 1
      await write(entry.id, { slidesDone: entry.slidesDone }, [markFirstSlide])
    } else if (action === 'finish' && entry.hasSlide && !entry.finished) {
      Object.assign(entry, { finished: true, slides: n, slidesDone: n })
      await write(entry.id, { slidesFinished: true, slidesDone: n }, [settleSlides(n)])
    } else if (action === 'complete' && entry.finished) {
      entry.status = 'completed'
      await write(entry.id, { status: 'completed' }, [], true)
    } else if (action === 'fail') {
      entry.status = 'failed'
      if (entry.hasSlide) entry.slides = entry.slidesDone
      else entry.accepted = entry.kept = false
      await write(entry.id, { status: 'failed' }, [settleFailed(entry.slidesDone)], true)
    }
  }

  for (const { action, pick, n } of steps) {
    const entry = model.entries.at(-1 - (pick % Math.max(1, model.entries.length)))
    if (action === 'accept') await accept(users[pick % 2]!, n)
    else if (action === 'wait') {
      // Makes all ledger entries older.
      const minutes = n * 15 * 2 ** pick
      model.now += minutes
      await database.query(
        `update gateway.ledger set accepted_at = accepted_at - $1 * interval '1 minute'`,
        [minutes],
      )
    } else if (entry) {
      if (action === 'fail half-way')
        for (const part of ['pay', 'slide', 'fail']) await work(part, entry, n)
      else if (action === 'retry') await retry(entry)
      else if (action === 'cancel') await cancel(entry)
      else if (action === 'delete') await remove(entry)
      else await work(action, entry, n)
    }
    for (const user of users) {
      const { perHour, perDay, total, totalSlides } = await readUsage(database, user, quotas)
      expect([perHour.used, perDay.used, total.used, totalSlides.used]).toEqual([
        model.used(user, 60).length,
        model.used(user, 1440).length,
        model.kept(user).length,
        model.slides(user),
      ])
    }
  }
}

test('the ledger agrees with the model after every step of a random history', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), runHistory), {
    numRuns: 25,
    interruptAfterTimeLimit: 15_000,
    endOnFailure: true,
  })
})

test('a cancel is reported once as the end of its run', async () => {
  const { database } = rows
  const own = { userId: 'carol', id: await rows.insert({ userId: 'carol' }) }
  const onCommitted = vi.fn()
  const report = { text: 'select $1::uuid', values: [], onCommitted }
  const { cancel } = createPresentationCommands({
    ...{ database, channels: createChannels(undefined), quotas, knownTemplates: () => undefined },
    queue: { maxQueued: 100, maxQueuedPerUser: 100 },
    reportRemoval: async () => () => undefined,
    endRun: createEndRun([() => [report]]),
  })
  await cancel(own)
  expect(onCommitted).toHaveBeenCalledOnce()
  expect(await cancel(own)).toMatchObject({ status: 'cancelled' })
  expect(onCommitted).toHaveBeenCalledOnce()
})
