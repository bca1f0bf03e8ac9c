// Query plans: every list and every sweep uses its index and never scans a whole table. Explains
// the statements of the functions themselves, over tables large enough for the planner to use
// indexes.
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { endOverdueRuns } from '../generation/statements/overdue.ts'
import { countFinished, createRunCounts } from '../operations/statements/run-counts.ts'
import { countQueued } from '../presentations/statements/insert.ts'
import { findPresentation, listPresentations } from '../presentations/statements/queries.ts'
import { openTestDatabase, type TestDatabase } from '../sandbox/test-database.ts'
import { pruneTickets, redeemTicket } from '../tickets/statements.ts'
import { readUsage } from '../usage/read-usage.ts'
import type { Database } from './connection.ts'
import { findFinishedDeck, findRemovableDecks } from './decks.ts'
import { createEndRun } from './end-run.ts'
import { findLogHead, pruneLogs, readLogChanges, readLogPage } from './event-log.ts'
import { pruneKeys } from './idempotency-keys.ts'
import { claim, hasClaimable, renew } from './leases.ts'
import { pruneLedger } from './ledger.ts'
import { readQuotaBudget } from './quota-budget.ts'
import { createSharedWrites } from './shared-writes.ts'
import { findRemovableUploads } from './uploads.ts'

const count = 20_000
const id = '00000000-0000-4000-8000-000000000001'
const slots = { maxRunning: 4, maxRunningPerUser: 2, leaseMs: 15_000 }
const quotas = { perHour: 10, perDay: 50, total: 100, totalSlides: 1000, systemPerDay: 0 }
const owned = { userId: 'user-7', id }

interface Plan {
  'Node Type': string
  'Relation Name'?: string
  'Index Name'?: string
  Plans?: Plan[]
}

describe('the plan of', () => {
  let testDatabase: TestDatabase
  let client: pg.Client
  beforeAll(async () => {
    testDatabase = await openTestDatabase()
    client = new pg.Client({ connectionString: testDatabase.url })
    await client.connect()
    for (const statement of tables) await client.query(statement)
  })
  afterAll(async () => {
    await client.end()
    await testDatabase.close()
  })

  /** Explains the statements that `run` issues: the indexes they use and the tables they scan. */
  async function plansOf(
    run: (database: Pick<Database, 'query' | 'transaction'>) => Promise<unknown>,
  ) {
    const nodes: Plan[] = []
    const explain = async (text: string, values: unknown[] = []) => {
      const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: Plan }] }>(
        `explain (format json) ${text}`,
        values,
      )
      for (const row of rows) collect(row['QUERY PLAN'][0].Plan, nodes)
      return [] as never[]
    }
    // Statements are only explained, so the functions find no rows, and some of them throw.
    await run({ query: explain, transaction: (work) => work({ query: explain }) }).catch(
      () => undefined,
    )
    return {
      indexes: new Set(nodes.flatMap((node) => node['Index Name'] ?? [])),
      scanned: nodes.flatMap((node) =>
        node['Node Type'] === 'Seq Scan' ? (node['Relation Name'] ?? []) : [],
      ),
    }
  }

  const reads: [string, string[], Parameters<typeof plansOf>[0]][] = [
    [
      'a list',
      ['presentations_of_user'],
      (database) => listPresentations(database, { userId: 'user-7', limit: 21 }),
    ],
    [
      'the next page of a list',
      ['presentations_of_user'],
      (database) =>
        listPresentations(database, {
          userId: 'user-7',
          limit: 21,
          after: { createdAt: new Date(), id },
        }),
    ],
    [
      'a list by status',
      ['presentations_of_user_by_status'],
      (database) => listPresentations(database, { userId: 'user-7', limit: 21, status: 'failed' }),
    ],
    [
      'one presentation',
      ['presentations_pkey', 'files_presentation_id_format_pk'],
      (database) => findPresentation(database, owned),
    ],
    [
      'the head of a log',
      ['events_presentation_id_seq_pk', 'leases_pkey'],
      (database) => findLogHead(database, owned),
    ],
    [
      'a page of a log',
      ['events_presentation_id_seq_pk'],
      (database) => readLogPage(database, { id, after: 2 }),
    ],
    [
      'the poll of many logs',
      ['leases_pkey'],
      (database) => readLogChanges(database, { ids: [id], seqs: [2] }),
    ],
    ['a finished deck', ['decks_pkey'], (database) => findFinishedDeck(database, 'deck-7')],
    [
      'the usage of a user',
      ['ledger_accepted', 'ledger_kept'],
      (database) => readUsage(database, 'user-7', quotas),
    ],
    [
      'a ticket',
      ['tickets_pkey'],
      (database) => redeemTicket(database, { ticket: 'a', purpose: 'events', presentationId: id }),
    ],
  ]

  const sweeps: [string, string[], Parameters<typeof plansOf>[0]][] = [
    ['the check before a claim', ['presentations_waiting'], hasClaimable],
    [
      'a claim',
      ['presentations_waiting', 'presentations_running', 'leases_pkey'],
      (database) => claim(database, slots),
    ],
    [
      'a shared write of several runs',
      ['leases_pkey', 'presentations_pkey'],
      (database) =>
        createSharedWrites({ database }).write({
          id,
          token: id,
          run: 1,
          seq: 3,
          events: [
            { kind: 'chunk', data: '{}' },
            { kind: 'chunk', data: '{}' },
          ],
          slidesDone: 1,
          progress: 0.5,
          leaseMs: 15_000,
        }),
    ],
    [
      'a lease renewal',
      ['leases_pkey'],
      (database) => renew(database, new Map([[id, id]]), 15_000),
    ],
    [
      'the count of the queue',
      ['presentations_waiting'],
      (database) => database.transaction((client) => countQueued(client, ['user-7'])),
    ],
    [
      'the remaining quota',
      ['ledger_accepted', 'ledger_kept', 'ledger_accepted_by_all'],
      (database) =>
        database.transaction((client) =>
          readQuotaBudget(client, new Map([['user-7', 2]]), { ...quotas, systemPerDay: 1000 }),
        ),
    ],
    [
      'the count of active runs',
      ['presentations_in_review'],
      (database) => createRunCounts({ database })(),
    ],
    ['the count of ended runs', ['presentations_at_rest'], (database) => countFinished(database)],
    ['the pruning of the ledger', ['ledger_let_go'], pruneLedger],
    [
      'the end of overdue runs',
      ['presentations_in_review', 'presentations_waiting'],
      (database) => endOverdueRuns(database, { endRun: createEndRun(), runTimeoutMs: 7_200_000 }),
    ],
    [
      'the pruning of logs',
      ['presentations_ended', 'events_presentation_id_seq_pk'],
      (database) => pruneLogs(database, 24),
    ],
    [
      'the search for removable decks',
      ['decks_to_remove'],
      (database) => findRemovableDecks(database),
    ],
    ['the pruning of tickets', ['tickets_expired'], pruneTickets],
    ['the pruning of idempotency keys', ['idempotency_keys_created'], pruneKeys],
  ]

  async function check(indexes: string[], run: Parameters<typeof plansOf>[0]) {
    const plan = await plansOf(run)
    expect(
      plan.scanned.filter((table) => !['queue_clock', 'run_durations'].includes(table)),
    ).toEqual([])
    expect([...plan.indexes]).toEqual(expect.arrayContaining(indexes))
  }

  it.each([...reads, ...sweeps])('%s uses %j and scans no whole table', (_, indexes, run) =>
    check(indexes, run),
  )

  it('the search for removable objects uses its index', () =>
    check(['uploads_to_remove'], (database) => findRemovableUploads(database)))
})

function collect(plan: Plan, into: Plan[]): void {
  into.push(plan)
  for (const inner of plan.Plans ?? []) collect(inner, into)
}

// Mostly finished presentations of 200 users, as after some months; a few are queued, running or
// awaiting approval.
const tables = [
  `insert into gateway.presentations (id, user_id, title, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at,
     run_started_at, ended_at, created_at, presenton_presentation_id, review_expires_at)
   select case when n = 7 then '${id}'::uuid else gen_random_uuid() end, 'user-' || n % 200, 'Repairs', s, 'pptx', 'general', 'English', 8, 'pptx',
     '{}', n, t, case when s = 'queued' then null else t end, case when s in ('completed', 'failed') then t end, t, 'deck-' || n,
     case when s = 'awaiting_outlines' then t + interval '1 day' end
   from generate_series(1, ${count}) n, lateral (select now() - n * interval '1 minute' as t,
     case when n % 1000 = 1 then 'queued' when n % 1000 = 2 then 'running' when n % 1000 = 3 then 'awaiting_outlines'
       when n % 20 = 0 then 'failed' else 'completed' end as s) made`,
  `insert into gateway.leases (presentation_id, last_seq) select id, 3 from gateway.presentations`,
  `insert into gateway.events (presentation_id, seq, run, data) select id, n, 1, '{"type":"status"}' from gateway.presentations, generate_series(1, 3) n`,
  `insert into gateway.files (presentation_id, format, object_key, size_bytes, sha256, content_type)
   select id, 'pptx', id::text, 1, '', '' from gateway.presentations`,
  `insert into gateway.uploads (object_key, presentation_id, lease_token, recorded_at, remove_after)
   select id::text, id, id, created_at, case when n % 500 = 0 then now() - interval '1 minute' end
   from (select id, created_at, row_number() over () as n from gateway.presentations) numbered`,
  `insert into gateway.decks (deck_id, presentation_id, remove_after)
   select presenton_presentation_id, id, case when turn % 1000 = 3 then now() - interval '1 minute' end from gateway.presentations`,
  `insert into gateway.ledger (presentation_id, user_id, accepted_at, slides, kept)
   select id, user_id, created_at, 8, turn % 100 > 0 from gateway.presentations`,
  `insert into gateway.tickets (hash, user_id, presentation_id, expires_at, token_expires_at)
   select id::text, user_id, id, now() + interval '1 minute', now() + interval '1 hour' from gateway.presentations`,
  `insert into gateway.idempotency_keys (user_id, key, fingerprint) select user_id, id::text, '' from gateway.presentations`,
  `insert into gateway.sources (id, user_id, name, content_type, size_bytes, sha256, object_key)
   select id, user_id, 'notes.txt', 'text/plain', 1, '', 'sources/' || id from gateway.presentations`,
  `insert into gateway.presentation_sources (presentation_id, position, source_id, name)
   select id, 0, id, 'notes.txt' from gateway.presentations`,
  // Like autovacuum: sets the visibility map, which allows index-only scans.
  'vacuum (analyze)',
]
