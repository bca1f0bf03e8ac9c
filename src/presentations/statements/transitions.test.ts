import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { createChannels } from '../../database/channels.ts'
import type { Queryable } from '../../database/connection.ts'
import { recordDeck } from '../../database/decks.ts'
import { createEndRun } from '../../database/end-run.ts'
import { claim, type Run } from '../../database/leases.ts'
import { createRunLog, leaseLost, type RunWrite } from '../../database/run-log.ts'
import { findRemovableUploads, recordFile, recordUpload } from '../../database/uploads.ts'
import { Problem } from '../../domain/problem.ts'
import { logEvent, openTestRows, sampleBrief, type TestRows } from '../../sandbox/rows.ts'
import { deletePresentation } from './delete.ts'
import { readPresentation } from './queries.ts'
import { queueExport, queueRetry } from './queue-runs.ts'
import {
  approveOutlines,
  cancelRun,
  type LockedPresentation,
  lockPresentation,
  renamePresentation,
} from './transitions.ts'

const slots = { maxRunning: 100, maxRunningPerUser: 100, leaseMs: 60_000 }

describe('transitions', () => {
  let rows: TestRows
  beforeAll(async () => {
    rows = await openTestRows()
  })
  afterEach(() =>
    rows.database.query(
      'truncate gateway.presentations, gateway.leases, gateway.events, gateway.files, gateway.uploads, gateway.decks cascade',
    ),
  )
  afterAll(() => rows.close())

  const change = (
    id: string,
    transition: (client: Queryable, locked: LockedPresentation) => Promise<unknown>,
    userId = 'alice',
  ) =>
    rows.database.transaction(async (client) =>
      transition(client, await lockPresentation(client, { userId, id })),
    )
  const read = (id: string) => rows.database.transaction((client) => readPresentation(client, id))
  const log = async (id: string) =>
    (
      await rows.database.query<{ seq: number; run: number; terminal: boolean; data: string }>(
        'select seq, run, terminal, data from gateway.events where presentation_id = $1 order by seq',
        [id],
      )
    ).map(({ data, ...event }) => ({ ...event, type: (JSON.parse(data) as { type: string }).type }))

  async function start(id: string) {
    const run = (await claim(rows.database, slots))!
    expect(run.id).toBe(id)
    return { run, write: writer(run) }
  }

  function writer(run: Run) {
    const runLog = createRunLog({
      database: rows.database,
      channels: createChannels(undefined),
      run,
      signal: new AbortController().signal,
      onLost: () => undefined,
    })
    return (write: RunWrite) => runLog.commit(write)
  }

  const endRun = createEndRun()
  const completed = (run: Run) => endRun(run, { outcome: 'completed', deck: {} })
  const cancel = (client: Queryable, locked: LockedPresentation) =>
    cancelRun(client, locked, endRun)

  async function complete(): Promise<string> {
    const id = await rows.insert()
    const { run, write } = await start(id)
    await write(completed(run))
    return id
  }

  it('reject with NOT_FOUND for a presentation of another user', async () => {
    const id = await rows.insert()
    await expect(change(id, cancel, 'bob')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('cancel: revokes the lease and ends the log, so that the worker can write nothing more', async () => {
    const id = await rows.insert()
    const { write } = await start(id)
    await write({ events: [logEvent('{"type":"stage","run":1}')] })
    await change(id, cancel)
    await expect(write({ events: [logEvent('{"type":"status","run":1}')] })).rejects.toBe(leaseLost)
    expect(await log(id)).toEqual([
      { seq: 1, run: 1, terminal: false, type: 'queued' },
      { seq: 2, run: 1, terminal: false, type: 'stage' },
      { seq: 3, run: 1, terminal: true, type: 'error' },
    ])
    expect(await read(id)).toMatchObject({
      status: 'cancelled',
      error: { code: 'CANCELLED', retryable: true },
    })
    expect(await claim(rows.database, slots)).toBeUndefined()
  })

  it('cancel against completion: exactly one of them ends the run', async () => {
    const won = { cancelled: 0, completed: 0 }
    for (let round = 0; round < 30; round += 1) {
      const id = await rows.insert()
      const { run, write } = await start(id)
      const cancelIt = () =>
        change(id, async (client, locked) => {
          if (locked.status !== 'running') throw new Problem('CONFLICT')
          await cancelRun(client, locked, endRun)
        })
      const both =
        round % 2 ? [cancelIt(), write(completed(run))] : [write(completed(run)), cancelIt()]
      const outcomes = await Promise.allSettled(both)
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const events = await log(id)
      expect(events.filter(({ terminal }) => terminal)).toHaveLength(1)
      expect(events.map(({ seq }) => seq)).toEqual([1, 2])
      won[(await read(id)).status as keyof typeof won] += 1
    }
    expect(won.cancelled + won.completed).toBe(30)
  })

  it('delete against claim: the row is removed, and the worker can write nothing', async () => {
    for (let round = 0; round < 30; round += 1) {
      const id = await rows.insert()
      // The order of the two calls alternates.
      const early = round % 2 ? claim(rows.database, slots) : undefined
      const removed = change(id, deletePresentation)
      const run = await (early ?? claim(rows.database, slots))
      await removed
      expect(
        await rows.database.query('select 1 from gateway.presentations where id = $1', [id]),
      ).toEqual([])
      if (run)
        await expect(writer(run)({ events: [logEvent('{"type":"stage","run":1}')] })).rejects.toBe(
          leaseLost,
        )
      expect(await log(id)).toEqual([])
    }
  })

  it('cancel of an export: leaves the completed presentation unchanged', async () => {
    const id = await complete()
    const { completedAt } = await read(id)
    await change(id, (client, locked) => queueExport(client, locked, 'pdf'))
    expect(await read(id)).toMatchObject({
      status: 'running',
      stage: 'export',
      run: 2,
      progress: 0,
      runFormat: 'pdf',
    })
    await start(id)
    await change(id, cancel)
    expect(await read(id)).toMatchObject({
      status: 'completed',
      stage: null,
      progress: 1,
      error: null,
      completedAt,
    })
    expect((await log(id)).map(({ type, run }) => `${type} ${run}`)).toEqual([
      'queued 1',
      'complete 1',
      'queued 2',
      'error 2',
    ])
  })

  it('a failed export leaves the presentation completed, with the error', async () => {
    const id = await complete()
    const { completedAt } = await read(id)
    await change(id, (client, locked) => queueExport(client, locked, 'pdf'))
    const { run, write } = await start(id)
    const problem = new Problem('UPSTREAM_ERROR', { detail: 'No.' })
    await write(endRun(run, { outcome: 'failed', problem }))
    const error = { code: 'UPSTREAM_ERROR', detail: 'No.', retryable: true }
    expect(await read(id)).toMatchObject({ status: 'completed', error, completedAt })
  })

  it('retry: starts a new run with all checkpoints and fresh counters', async () => {
    const id = await rows.insert()
    const { run: first, write } = await start(id)
    await write({
      changes: {
        stage: 'slides',
        attempt: 2,
        progress: 0.5,
        slideStreams: 2,
        deckId: 'deck',
        outlines: ['one'],
        deckPrepared: true,
        deckStreamed: true,
        starts: { slides: 2 },
        failures: { slides: 2 },
      },
    })
    await write(endRun(first, { outcome: 'failed', problem: new Problem('UPSTREAM_ERROR') }))
    await change(id, queueRetry)
    expect(await read(id)).toMatchObject({
      status: 'queued',
      stage: null,
      run: 2,
      attempt: 0,
      progress: 0,
      error: null,
      queuePosition: 1,
    })
    const { run } = await start(id)
    expect(run).toMatchObject({
      deckId: 'deck',
      outlines: ['one'],
      deckPrepared: true,
      deckStreamed: true,
    })
    expect(run).toMatchObject({
      run: 2,
      starts: {},
      failures: {},
      slideStreams: 0,
      takeovers: 0,
      runKind: 'deck',
      runFormat: 'pptx',
    })
    expect(run.usedMs).toBeLessThan(5_000)
  })

  it('two approvals: the second one finds the outlines approved and fails', async () => {
    const id = await rows.insert({ reviewOutlines: true })
    const { write } = await start(id)
    await write({
      changes: { status: 'awaiting_outlines', stage: null, outlines: ['one'] },
      release: true,
      stopClock: true,
    })
    const approve = (outlines: string[]) =>
      change(id, async (client, locked) => {
        if (locked.status !== 'awaiting_outlines') throw new Problem('CONFLICT')
        await approveOutlines(client, locked, { outlines, title: null, nSlides: outlines.length })
      })
    const outcomes = await Promise.allSettled([approve(['a']), approve(['b', 'c'])])
    expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    const { run } = await start(id)
    expect([['a'], ['b', 'c']]).toContainEqual(run.outlines)
    expect(run).toMatchObject({
      nSlides: run.outlines!.length,
      outlinesApproved: true,
      stage: 'prepare',
    })
    expect((await log(id)).map(({ type }) => type)).toEqual(['queued', 'outlines'])
  })

  it('an approval replaces the template, which is then no longer the default', async () => {
    const id = await rows.insert({
      reviewOutlines: true,
      brief: { ...sampleBrief, content: 'Über “Brücken” \\u0000', usesDefaultTemplate: true },
    })
    const brief = async () =>
      (
        await rows.database.query(
          'select template, brief from gateway.presentations where id = $1',
          [id],
        )
      )[0]
    const approve = (template?: string) =>
      change(id, (client, locked) =>
        approveOutlines(client, locked, { outlines: ['a'], title: null, template, nSlides: 1 }),
      )
    await approve()
    expect(await brief()).toMatchObject({
      template: 'general',
      brief: { usesDefaultTemplate: true },
    })
    await approve('modern')
    expect(await brief()).toMatchObject({
      template: 'modern',
      brief: { content: 'Über “Brücken” \\u0000', usesDefaultTemplate: false },
    })
  })

  it('a title given by the owner is not replaced by a generated one', async () => {
    const id = await rows.insert()
    const { write } = await start(id)
    await change(id, (client, locked) => renamePresentation(client, locked, 'Mine'))
    await write({ changes: { title: 'Generated' } })
    expect((await read(id)).title).toBe('Mine')
  })

  it('delete: schedules the removal of objects and decks, later for an upload in progress', async () => {
    const id = await rows.insert()
    const { run, write } = await start(id)
    const file = {
      format: 'pptx' as const,
      sizeBytes: 1,
      sha256: '',
      contentType: '',
      replacedAfterSeconds: 900,
    }
    await write({
      extraStatements: [
        ...[recordDeck('deck', null), recordUpload({ objectKey: 'of a file', token: run.token })],
        ...[
          recordFile({ ...file, objectKey: 'of a file' }),
          recordUpload({ objectKey: 'in progress', token: run.token }),
        ],
      ],
    })
    await change(id, deletePresentation)
    const due = await rows.database.query<{ key: string; minutes: number }>(
      `select object_key as key, round(extract(epoch from remove_after - now()) / 60)::int as minutes from gateway.uploads order by 1`,
    )
    expect(due).toEqual([
      { key: 'in progress', minutes: 60 },
      { key: 'of a file', minutes: 0 },
    ])
    expect(await findRemovableUploads(rows.database)).toEqual(['of a file'])
    expect(
      await rows.database.query('select 1 from gateway.decks where remove_after <= now()'),
    ).toHaveLength(1)
    for (const table of ['events', 'leases', 'files', 'tickets', 'assets']) {
      expect(await rows.database.query(`select 1 from gateway.${table}`), table).toEqual([])
    }
  })
})
