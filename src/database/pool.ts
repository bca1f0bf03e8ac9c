// The pool of connections. It is replaced as a whole when connections have stopped responding.

import pg from 'pg'
import { openAddress } from './address.ts'
import { isConnectTimeout } from './database-errors.ts'

export interface PoolOptions {
  url: string
  poolMax: number
  onIdleError?: ((error: Error) => void) | undefined
  /** How long a statement may take. */
  queryTimeoutMs: number
  /** How long a statement waits for a connection. */
  connectTimeoutMs: number
}

const idleInTransactionMs = 5_000

/** It connects on first use. */
export function openReplaceablePool(options: PoolOptions) {
  const { poolMax, onIdleError, queryTimeoutMs, connectTimeoutMs } = options
  const address = openAddress(options.url)
  const sessionSettings = {
    text: settingsOfSession(queryTimeoutMs),
    // The driver's types lack it.
    query_timeout: connectTimeoutMs,
  }
  let pool = openPool()

  function openPool(): pg.Pool {
    const opened = new pg.Pool({
      ...address.poolOptions('presenton-gateway'),
      max: poolMax,
      connectionTimeoutMillis: connectTimeoutMs,
      // Authentication costs both sides more than hundreds of statements.
      idleTimeoutMillis: 60_000,
      query_timeout: queryTimeoutMs,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      // Not as start-up parameters: PgBouncer refuses those that it does not know.
      onConnect: (client) => client.query(sessionSettings),
    })
    opened.on('error', (error) => onIdleError?.(error))
    // A server that shuts down can report it between two uses of a connection. Without a listener
    // that error would end the process.
    opened.on('connect', (client) => client.on('error', () => undefined))
    return opened
  }

  /**
   * When one connection stops responding, the others usually have, too. Each would be found only by
   * a statement that times out, so all are replaced at once. The same after a fail-over, when the
   * former primary refuses writes.
   */
  function replace(stalled: pg.Pool): void {
    if (pool !== stalled || stalled.ending) return
    pool = openPool()
    void stalled.end().catch(() => undefined)
  }

  return {
    replace,
    /** Waits for the connections to close. */
    end: (): Promise<void> => pool.end(),
    current: (): pg.Pool => pool,

    /**
     * Tries again when the connect timeout fires late. Timers run before sockets are read, so after
     * a pause of this process the timeout wins over a connection that is ready. Nothing was sent
     * yet. Also tries again when sslmode=prefer allows another kind of connection.
     */
    async withConnection<T>(work: (on: pg.Pool) => Promise<T>): Promise<T> {
      const startedMs = performance.now()
      const used = pool
      try {
        return await work(used)
      } catch (error) {
        const isLate = performance.now() - startedMs > 1.1 * connectTimeoutMs
        if (address.fallBack(error)) replace(used)
        else if (!isConnectTimeout(error) || !isLate) throw error
        return work(pool)
      }
    },
  }
}

/**
 * For each new connection. Role and database may have other defaults, which our statements and the
 * driver do not expect.
 */
function settingsOfSession(queryTimeoutMs: number): string {
  return [
    `set client_encoding = 'UTF8'`,
    `set datestyle = 'ISO'`,
    `set default_transaction_isolation = 'read committed'`,
    `set statement_timeout = ${Math.round(queryTimeoutMs * 0.75)}`,
    // A client that stops inside a transaction holds locks that others wait for. Ours never pause
    // there.
    `set idle_in_transaction_session_timeout = ${idleInTransactionMs}`,
  ].join('; ')
}
