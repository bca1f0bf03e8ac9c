// Checks the database and applies the migrations as soon as Postgres can be used, which may be long
// after the start: a server that starts, a password or a right that an operator has yet to set.
import { backoffMs, jitterMs } from '../async/backoff.ts'
import { sleep } from '../async/signals.ts'
import { openAddress } from '../database/address.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import { explainDatabaseError, passesByItself } from '../database/database-troubles.ts'
import { migrate } from '../database/migrate.ts'
import { checkServer } from '../database/server-check.ts'
import type { Trouble, Troubles } from '../telemetry/troubles.ts'

export interface MigrationOptions {
  url: string
  /** False: another process applies them, and they count as done once the database is usable. */
  migrateOnStart: boolean
  troubles: Pick<Troubles, 'report' | 'clear'>
  /** Aborts when the shutdown begins. */
  closing: AbortSignal
}

const retryMs = 1_000
/** Between attempts that only an operator can help: servers lock out who fails too often. */
const slowRetry = { baseMs: 500, maxMs: 5_000 }

const unreachable: Trouble = {
  reason: 'unreachable',
  variable: 'DATABASE_URL',
  detail: 'It cannot be reached.',
}

const notMigrated: Trouble = {
  reason: 'not_migrated',
  variable: 'MIGRATE_ON_START',
  detail: 'The migrations have not been applied yet.',
}

const locked: Trouble = {
  ...notMigrated,
  detail: 'Another process holds the lock of the migrations: this one waits for it.',
}

export function createMigration({ url, migrateOnStart, troubles, closing }: MigrationOptions) {
  const address = openAddress(url)
  let done = false
  let current: Trouble | undefined

  function setTrouble(trouble: Trouble | undefined, error?: unknown): void {
    if (trouble) troubles.report('database', trouble, error)
    if (current && current.reason !== trouble?.reason) troubles.clear('database', current.reason)
    current = trouble
  }

  async function apply(): Promise<void> {
    await checkServer(address, closing)
    if (!migrateOnStart) return
    await migrate(address, { signal: closing, onLocked: () => setTrouble(locked) })
  }

  return {
    isDone: () => done,

    /** What the start waits for; undefined once it is done. */
    trouble: (): Trouble | undefined => (done ? undefined : (current ?? notMigrated)),

    /**
     * Retries while the database cannot be used. Resolves with false when the shutdown began first;
     * rejects with any other failure, because a retry would not help.
     */
    async run(): Promise<boolean> {
      let fellBack = false
      for (let attempt = 1; !done && !closing.aborted; attempt += 1) {
        try {
          await apply()
          setTrouble(undefined)
          done = true
        } catch (error) {
          if (closing.aborted) return false
          // At once, but only once: a server may refuse both kinds of connection.
          fellBack = address.fallBack(error) && !fellBack
          if (fellBack) continue
          if (!isDatabaseUnavailable(error)) throw error
          const trouble = explainDatabaseError(error)
          setTrouble(trouble ?? unreachable, error)
          const mayPass = !trouble || passesByItself(trouble)
          const waitMs = jitterMs(retryMs) + (mayPass ? 0 : backoffMs(attempt, slowRetry))
          await sleep(waitMs, closing).catch(() => undefined)
        }
      }
      return done
    },
  }
}
