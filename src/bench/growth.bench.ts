// Growth of the events table over 10 days of 1,000 decks each, logs pruned a day after their end. A
// day's decks are written by SQL, with as many events as a deck of 8 slides leaves; then a day goes
// by, the gateway's own pruning runs, and VACUUM as autovacuum would have. Peer: the same rows in a
// table written just now. Target: as large on the last day as on the third (≤ 1.1 ×), bloat ≤ 1.5
// ×.
import type pg from 'pg'
import { openDatabase } from '../database/connection.ts'
import { pruneLogs } from '../database/event-log.ts'
import { judge, type Measure, mib } from './measure.ts'

const days = 10
const eventsEach = 70
const retentionHours = 24

export const growth: Measure = {
  name: 'growth',
  async run(ground, { isQuick }) {
    const decks = isQuick ? 50 : 1_000
    const client = await ground.connect('growth')
    const database = openDatabase({ url: await ground.openDatabase('growth'), poolMax: 1 })
    const sizes: number[] = []
    try {
      for (let day = 1; day <= days; day += 1) {
        await writeDay(client, decks)
        sizes.push(await sizeOf(client, 'gateway.events'))
        await client.query(
          `update gateway.presentations set ended_at = ended_at - interval '25 hours' where ended_at > now() - interval '3 days'`,
        )
        while ((await pruneLogs(database, retentionHours)) > 0);
        await client.query('vacuum (analyze) gateway.events')
      }
      // One more day of decks, which is what the table holds at its fullest, beside its rows
      // written anew.
      await writeDay(client, decks)
      const last = await sizeOf(client, 'gateway.events')
      await client.query('create table fresh (like gateway.events including all)')
      await client.query(
        'insert into fresh select * from gateway.events order by presentation_id, seq',
      )
      const fresh = await sizeOf(client, 'fresh')
      const third = sizes[2] ?? Number.NaN
      return [
        judge({
          measure: `events table after ${days} days of ${decks.toLocaleString('en')} decks`,
          ...{
            own: last,
            peer: third,
            peerName: 'on day 3',
            unit: mib,
            target: '≤ 1.1 ×',
            atMost: 1.1 * third,
          },
        }),
        judge({
          measure: 'events table, bloat',
          ...{
            own: last,
            peer: fresh,
            peerName: 'written anew',
            unit: mib,
            target: '≤ 1.5 ×',
            atMost: 1.5 * fresh,
          },
        }),
      ]
    } finally {
      await Promise.all([client.end(), database.close()])
    }
  },
}

async function writeDay(client: pg.Client, decks: number): Promise<void> {
  await client.query('set synchronous_commit = off')
  await client.query(
    `with made as (
       insert into gateway.presentations (id, user_id, status, run_format, template, language, n_slides, export_as, brief, turn, queued_at,
         run_started_at, ended_at)
       select gen_random_uuid(), 'bench', 'completed', 'pptx', 'general', 'English', 8, 'pptx', '{}', n, now(), now(), now()
       from generate_series(1, $1) n returning id
     ), leased as (insert into gateway.leases (presentation_id, last_seq) select id, $2 from made)
     insert into gateway.events (presentation_id, seq, run, terminal, data)
     select id, n, 1, n = $2, repeat(md5(id::text || n), case when n % 7 = 0 then 60 else 8 end) from generate_series(1, $2) n, made`,
    [decks, eventsEach],
  )
}

async function sizeOf(client: pg.Client, table: string): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    'select pg_total_relation_size($1::regclass)::float8 as bytes',
    [table],
  )
  return rows[0]?.bytes ?? Number.NaN
}
