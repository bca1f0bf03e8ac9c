// What the health of this replica is made of: a question to each part, and what its errors mean.

import { explainDatabaseError, UnusableDatabase } from '../database/database-troubles.ts'
import { explainStoreTrouble } from '../objects/store-reports.ts'
import { createHealth } from '../operations/health.ts'
import { readMemory } from '../operations/memory.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import type { Adapters } from './adapters.ts'
import type { BuildInfo } from './build-info.ts'
import type { createMigration } from './migration.ts'
import { type createPresentonChecks, explainPresenton } from './presenton-checks.ts'

export interface CheckedParts {
  build: BuildInfo
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
  adapters: Adapters
  migration: ReturnType<typeof createMigration>
  presentonChecks: ReturnType<typeof createPresentonChecks>
  troubles: Troubles
}

/** The health of this replica: whether each part responds, and what its errors mean. */
export function createHealthChecks(parts: CheckedParts) {
  const { build, closing, adapters, migration, presentonChecks, troubles } = parts
  const { database, databaseTroubles, objects, presenton } = adapters
  return createHealth({
    ...build,
    isClosing: () => closing.aborted,
    pinged: {
      database: {
        variable: 'DATABASE_URL',
        async ping() {
          const trouble = migration.trouble()
          if (trouble) throw new UnusableDatabase(trouble)
          await database.ping()
          databaseTroubles.reportWorks()
        },
        explain: explainDatabaseError,
      },
      storage: {
        variable: 'MINIO_ENDPOINT',
        ping: objects.ping,
        explain: explainStoreTrouble,
      },
      presenton: {
        variable: 'PRESENTON_URL',
        async ping(signal) {
          await presenton.ping({ signal })
          await presentonChecks.checkBriefly()
        },
        explain: (error) => explainPresenton(error, presenton.state()),
      },
    },
    presentonState: presenton.state,
    memory: readMemory,
    troubles,
  })
}
