import pg from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Queryable } from '../../database/connection.ts'
import { openTestDatabase, type TestDatabase } from '../../sandbox/test-database.ts'
import { pruneDeliveries } from './deliveries.ts'

let testDatabase: TestDatabase
let client: pg.Client
beforeAll(async () => {
  testDatabase = await openTestDatabase()
  client = new pg.Client({ connectionString: testDatabase.url })
  await client.connect()
})
afterAll(async () => {
  await client.end()
  await testDatabase.close()
})

it('keeps ended deliveries for seven days, and all that have not ended', async () => {
  const database: Queryable = {
    query: async <Row extends pg.QueryResultRow>(text: string, values: unknown[] = []) =>
      (await client.query<Row>(text, values)).rows,
  }
  await client.query(
    `with webhook as (
       insert into gateway.webhooks (id, user_id, url, host, events, secrets)
       values (gen_random_uuid(), 'alice', 'https://a.example/', 'a:443', '{}', '[]') returning id)
     insert into gateway.webhook_deliveries
       (webhook_id, event, body, host, is_slow, next_attempt_at, status, created_at, ended_at)
     select webhook.id, 'test', '{}', 'a:443', false, case when status = 'pending' then now() end,
       status, now() - interval '30 days', ended_at
     from webhook, (values
       ('pending', null),
       ('delivered', now() - interval '6 days 23 hours 59 minutes'),
       ('failed', now() - interval '6 days 23 hours 59 minutes'),
       ('delivered', now() - interval '7 days 1 minute'),
       ('failed', now() - interval '7 days 1 minute')) as given (status, ended_at)`,
  )
  expect(await pruneDeliveries(database)).toBe(2)
  const left = await client.query(
    `select status from gateway.webhook_deliveries
     where ended_at is null or ended_at > now() - interval '7 days' order by status`,
  )
  expect(left.rows.map(({ status }) => status)).toEqual(['delivered', 'failed', 'pending'])
})
