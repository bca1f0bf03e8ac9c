// Applies the migrations as soon as Postgres can be reached, which may be long after the start.
import { jitterMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import { migrate } from '../database/migrate.ts'
import type { Logger } from '../telemetry/logging.ts'

export interface MigrationOptions {
  url: string
  /** False: another process applies them, and they count as done. */
  migrateOnStart: boolean
  logger: Pick<Logger, 'warn'>
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
}

export type Migration = ReturnType<typeof createMigration>

const retryMs = 1_000

export function createMigration({ url, migrateOnStart, logger, closing }: MigrationOptions) {
  let done = false

  return {
    isDone: () => done,

    /**
     * Retries while the database is unreachable. Resolves with false when the shutdown began first;
     * rejects with any other failure, because a retry would not help.
     */
    async run(): Promise<boolean> {
      while (migrateOnStart && !done && !closing.aborted) {
        try {
          await migrate(url, { signal: closing })
          done = true
        } catch (error) {
          if (closing.aborted) return false
          if (!isDatabaseUnavailable(error)) throw error
          logger.warn({ err: error }, 'the database cannot be reached; retrying the migrations')
          await sleep(jitterMs(retryMs), closing).catch(() => undefined)
        }
      }
      done ||= !closing.aborted
      return done
    },
  }
}
