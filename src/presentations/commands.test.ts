// Quotas are exact whatever happens: random histories of accepting, working, failing, crashing,
// cancelling, retrying, deleting and waiting, on real Postgres, beside a small model of the rules.

import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
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

/** What section 10 says, in as few words as possible. Times are minutes. */
interface Entry {
  id: string
  user: string
  status: 'active' | 'completed' | 'failed' | 'cancelled' | 'deleted'
  at: number
  nSlides: number
  /** Slides that count, while it is kept. */
  slides: number
  made: number
  accepted: boolean
  kept: boolean
  paid: boolean
  slid: boolean
  finished: boolean
}

function createModel() {
  const entries: Entry[] = []
  const model = {
    now: 0,
    entries,
    used: (user?: string, minutes = Infinity) =>
      entries.filter(
        (one) => (!user || one.user === user) && one.accepted && model.now - one.at < minutes,
      ),
    kept: (user: string) => entries.filter((one) => one.user === user && one.kept),
    slides: (user: string) => model.kept(user).reduce((sum, { slides }) => sum + slides, 0),
    /** The code it is refused with, and for how many minutes. */
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
  /** Until so many have left that one more fits: found by trying every minute. */
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

type Step = { act: string; pick: number; n: number }

const step = fc.record({
  act: fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom('pay', 'slide', 'fail', 'fail half-way', 'retry') },
    { weight: 3, arbitrary: fc.constant('accept') },
    {
      weight: 4,
      arbitrary: fc.constantFrom('finish', 'complete', 'crash', 'cancel', 'delete', 'wait'),
    },
  ),
  /** Which user, or which of the latest presentations. */
  pick: fc.nat(3),
  n: fc.integer({ min: 1, max: 5 }),
})

async function play(steps: Step[]): Promise<void> {
  const { database } = rows
  await database.query(
    'truncate gateway.presentations, gateway.leases, gateway.files, gateway.events, gateway.ledger',
  )
  const channels = createChannels(undefined)
  const queue = { maxQueued: 1000, maxQueuedPerUser: 1000 }
  const intake = createAdmission({
    database,
    channels,
    queue,
    quotas,
    knownTemplates: () => undefined,
  })
  const life = createPresentationCommands({
    ...{ database, channels, queue, quotas },
    endRun: createEndRun(),
  })
  const model = createModel()
  const runs = new Map<string, Run>()

  /** What was refused, as the model says it. */
  async function refused(work: Promise<unknown>) {
    const error = await work.then(
      () => undefined,
      (reason: unknown) => reason,
    )
    if (error === undefined) return undefined
    if (!(error instanceof Problem)) throw error
    return { code: error.code, seconds: error.retryAfterSeconds }
  }
  function expectAlike(got: Awaited<ReturnType<typeof refused>>, expected: Refusal | undefined) {
    expect(got?.code).toBe(expected?.code)
    if (expected?.minutes === undefined) return
    // True to the few seconds that the history itself takes.
    expect(got?.seconds).toBeLessThanOrEqual(expected.minutes * 60)
    expect(got?.seconds).toBeGreaterThan(expected.minutes * 60 - 30)
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
    expectAlike(await refused(intake.accept({ userId: user, brief, respond })), expected)
    const after = await database.query<{ id: string }>('select id from gateway.presentations')
    const [made] = after.filter(({ id }) => !before.has(id))
    expect(made === undefined).toBe(expected !== undefined)
    if (!made) return
    const plain = { accepted: true, kept: true, paid: false, slid: false, finished: false, made: 0 }
    model.entries.push({
      id: made.id,
      user,
      status: 'active',
      at: model.now,
      nSlides,
      slides: nSlides,
      ...plain,
    })
    await claimAll()
  }

  async function retry(one: Entry) {
    const own = { userId: one.user, id: one.id }
    const retried = await refused(life.retry(own, { respond }))
    if (one.status === 'deleted') return expectAlike(retried, { code: 'NOT_FOUND' })
    if (one.status !== 'failed' && one.status !== 'cancelled')
      return expectAlike(retried, { code: 'CONFLICT' })
    let refusal: Refusal | undefined
    if (!one.kept) refusal = model.refusal(one.user, one.nSlides)
    else if (
      !one.finished &&
      one.nSlides > one.slides &&
      model.slides(one.user) - one.slides + one.nSlides > quotas.totalSlides
    ) {
      refusal = { code: 'QUOTA_EXHAUSTED' }
    }
    expectAlike(retried, refusal)
    if (refusal) return
    if (!one.kept)
      Object.assign(one, { at: model.now, accepted: true, kept: true, paid: false, slid: false })
    if (!one.finished) one.slides = one.nSlides
    one.status = 'active'
    await claimAll()
  }

  async function cancel(one: Entry) {
    const expected = {
      deleted: 'NOT_FOUND',
      completed: 'CONFLICT',
      failed: 'CONFLICT',
      active: undefined,
      cancelled: undefined,
    }[one.status]
    const got = await refused(life.cancel({ userId: one.user, id: one.id }))
    expectAlike(got, expected === undefined ? undefined : { code: expected })
    if (one.status !== 'active') return
    one.status = 'cancelled'
    if (!one.paid) one.accepted = one.kept = false
  }

  async function remove(one: Entry) {
    const got = await refused(life.remove({ userId: one.user, id: one.id }))
    expectAlike(got, one.status === 'deleted' ? { code: 'NOT_FOUND' } : undefined)
    one.status = 'deleted'
    one.kept = false
    if (!one.paid) one.accepted = false
  }

  async function work(act: string, one: Entry, n: number) {
    if (one.status !== 'active') return
    if (act === 'crash') {
      await database.query(
        `update gateway.leases set expires_at = now() - interval '1 second' where presentation_id = $1`,
        [one.id],
      )
      await claimAll()
    } else if (act === 'pay') {
      one.paid = true
      await write(one.id, { stage: 'outlines' }, [markPaid])
    } else if (act === 'slide' && one.paid && !one.finished) {
      one.slid = true
      one.made += 1
      await write(one.id, { slidesDone: one.made }, [markFirstSlide])
    } else if (act === 'finish' && one.slid && !one.finished) {
      Object.assign(one, { finished: true, slides: n, made: n })
      await write(one.id, { slidesFinished: true, slidesDone: n }, [settleSlides(n)])
    } else if (act === 'complete' && one.finished) {
      one.status = 'completed'
      await write(one.id, { status: 'completed' }, [], true)
    } else if (act === 'fail') {
      one.status = 'failed'
      if (one.slid) one.slides = one.made
      else one.accepted = one.kept = false
      await write(one.id, { status: 'failed' }, [settleFailed(one.made)], true)
    }
  }

  for (const { act, pick, n } of steps) {
    const one = model.entries.at(-1 - (pick % Math.max(1, model.entries.length)))
    if (act === 'accept') await accept(users[pick % 2]!, n)
    else if (act === 'wait') {
      // Time goes by for all that was accepted.
      const minutes = n * 15 * 2 ** pick
      model.now += minutes
      await database.query(
        `update gateway.ledger set accepted_at = accepted_at - $1 * interval '1 minute'`,
        [minutes],
      )
    } else if (one) {
      if (act === 'fail half-way')
        for (const each of ['pay', 'slide', 'fail']) await work(each, one, n)
      else if (act === 'retry') await retry(one)
      else if (act === 'cancel') await cancel(one)
      else if (act === 'delete') await remove(one)
      else await work(act, one, n)
    }
    for (const user of users) {
      const { perHour, perDay, total, totalSlides } = await readUsage(database, user, quotas)
      expect([perHour.used, perDay.used, total.used, totalSlides.used]).toEqual([
        ...[
          model.used(user, 60).length,
          model.used(user, 1440).length,
          model.kept(user).length,
          model.slides(user),
        ],
      ])
    }
  }
}

test('the ledger says at every moment of a random history what the rules say', async () => {
  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 40 }), play), {
    numRuns: 25,
    interruptAfterTimeLimit: 15_000,
    endOnFailure: true,
  })
})
