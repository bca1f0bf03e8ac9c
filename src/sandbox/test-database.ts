// A migrated database for one test file, cloned from the template in about 30 ms, so that test
// files don't see each other's rows.

import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject } from 'vitest'

export const templateName = 'gateway_template'

/** `empty`: without the gateway's schema. */
export async function openTestDatabase({ empty = false }: { empty?: boolean } = {}) {
  const server = inject('postgresUrl')
  const name = `test_${randomBytes(8).toString('hex')}`
  await query(server, `create database ${name}${empty ? '' : ` template ${templateName}`}`)
  const url = new URL(server)
  url.pathname = name
  return {
    /** Connects as a superuser of the shared server. */
    url: url.href,
    name,
    /** Drops the database and disconnects its clients. */
    close: () => query(server, `drop database if exists ${name} with (force)`),
  }
}

export type TestDatabase = Awaited<ReturnType<typeof openTestDatabase>>

async function query(url: string, sql: string) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  await client.query(sql).finally(() => client.end())
}
