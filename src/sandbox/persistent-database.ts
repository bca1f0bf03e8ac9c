// The sandbox's own database, which later runs use again. A sandbox must always start: if this
// checkout's migrations fail on the database, it is renamed and a new one is created.

import pg from 'pg'
import { migrate } from '../database/migrate.ts'
import type { Postgres } from './postgres.ts'

const name = 'gateway'

/** `renamedTo`: the new name of an incompatible database, if there was one. */
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
      return { url: urlOf(name), renamedTo: undefined }
    } catch {
      const renamedTo = `${name} until ${new Date().toISOString()}`
      await client.query(
        `alter database ${pg.escapeIdentifier(name)} rename to ${pg.escapeIdentifier(renamedTo)}`,
      )
      await migrate(await createDatabase(name))
      return { url: urlOf(name), renamedTo }
    }
  } finally {
    await client.end()
  }
}
