// The sandbox's own database, kept from run to run. The data of a sandbox are worth less than its
// start: what the migrations of this checkout can't bring up to date is set aside under another
// name, and a fresh database takes its place.

import pg from 'pg'
import { migrate } from '../database/migrate.ts'
import type { Postgres } from './postgres.ts'

const name = 'gateway'

/**
 * Resolves with the database's URL, and with the name under which an unusable one was set aside.
 */
export async function openPersistentDatabase({
  url,
  urlOf,
  createDatabase,
}: Pick<Postgres, 'url' | 'urlOf' | 'createDatabase'>) {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [name])
    if (rowCount === 0) await createDatabase(name)
    try {
      await migrate(urlOf(name))
      return { url: urlOf(name), setAside: undefined }
    } catch {
      const setAside = `${name} until ${new Date().toISOString()}`
      await client.query(
        `alter database ${pg.escapeIdentifier(name)} rename to ${pg.escapeIdentifier(setAside)}`,
      )
      await migrate(await createDatabase(name))
      return { url: urlOf(name), setAside }
    }
  } finally {
    await client.end()
  }
}
