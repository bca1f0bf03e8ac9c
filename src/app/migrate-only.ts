// Applies the migrations and does nothing else. It waits for a database that is away, as a start
// does.

import type { Config } from '../config/config.ts'
import type { Logger } from '../telemetry/logging.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import { createMigration } from './migration.ts'

/** A signal ends the process at once, which is safe: the migrations are one transaction. */
export async function migrateOnly({
  config,
  logger,
}: {
  config: Pick<Config, 'database'>
  logger: Logger
}): Promise<void> {
  const migration = createMigration({
    url: config.database.url,
    migrateOnStart: true,
    troubles: createTroubles({ logger }),
    closing: new AbortController().signal,
  })
  await migration.run()
  logger.info('the database is up to date')
}
