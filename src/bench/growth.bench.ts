// Size of the events table over 10 days of 1,000 decks each. SQL writes a day's decks with as many
// events as a deck of 8 slides has; then time moves by a day, the gateway prunes logs, and VACUUM
// runs. Target: the size of day 3 (≤ 1.1 ×), and ≤ 1.5 × the same rows in a new table.
import type pg from 'pg'
import { openDatabase } from '../database/connection.ts'
import { pruneLogs } from '../database/event-log.ts'
import { type Benchmark, createResult, mib } from './benchmark.ts'
import { insertFinished } from './rows.ts'

const days = 10
const eventsPerDeck = 70
const retentionHours = 24

export const growth: Benchmark = {
  name: 'growth',
  async run(environment, { isQuick }) {
    const count = isQuick ? 50 : 1_000
    const client = await environment.connect('growth')
    const database = openDatabase({ url: await environment.openDatabase('growth'), poolMax: 1 })
    const dailyBytes: number[] = []
    try {
      for (let day = 1; day <= days; day += 1) {
        await insertFinished(client, { count, eventsPerDeck })
        dailyBytes.push(await readTableBytes(client, 'gateway.events'))
        await client.query(
          `update gateway.presentations set ended_at = ended_at - interval '25 hours' where ended_at > now() - interval '3 days'`,
        )
        while ((await pruneLogs(database, retentionHours)) > 0);
        await client.query('vacuum (analyze) gateway.events')
      }
      // With one more day the table is at its fullest.
      await insertFinished(client, { count, eventsPerDeck })
      const own = await readTableBytes(client, 'gateway.events')
      await client.query('create table rewritten (like gateway.events including all)')
      await client.query(
        'insert into rewritten select * from gateway.events order by presentation_id, seq',
      )
      const rewritten = await readTableBytes(client, 'rewritten')
      const dayThree = dailyBytes[2] ?? Number.NaN
      return [
        createResult({
          measure: `events table after ${days} days of ${count.toLocaleString('en')} decks`,
          own,
          peer: dayThree,
          peerName: 'on day 3',
          format: mib,
          target: '≤ 1.1 ×',
          atMost: 1.1 * dayThree,
        }),
        createResult({
          measure: 'events table, bloat',
          own,
          peer: rewritten,
          peerName: 'new table',
          format: mib,
          target: '≤ 1.5 ×',
          atMost: 1.5 * rewritten,
        }),
      ]
    } finally {
      await Promise.all([client.end(), database.close()])
    }
  },
}

/** The size of a table with its indexes. */
async function readTableBytes(client: pg.Client, table: string): Promise<number> {
  const { rows } = await client.query<{ bytes: number }>(
    'select pg_total_relation_size($1::regclass)::float8 as bytes',
    [table],
  )
  return rows[0]?.bytes ?? Number.NaN
}
