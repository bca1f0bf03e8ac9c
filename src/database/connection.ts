// The pool of Postgres connections. Every wait on it has a deadline, and an outage becomes the
// Problem DATABASE_UNAVAILABLE.
import pg from 'pg'
import { sleep } from '../async/signals.ts'
import { isConnectTimeout, isQueryTimeout, toProblem } from './database-errors.ts'
import { createStatementNames } from './statement-names.ts'

// bigint as number: our sequence numbers and sizes stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export interface DatabaseOptions {
  url: string
  poolMax: number
  onIdleError?: (error: Error) => void
  /** How long a statement may take. */
  queryTimeoutMs?: number
  /** How long a statement waits for a connection. */
  connectTimeoutMs?: number
}

export type Database = ReturnType<typeof openDatabase>

/** Runs statements: the pool, or the connection of a transaction. */
export interface Queryable {
  /** The rows that the statement returns. */
  query<Row extends pg.QueryResultRow = pg.QueryResultRow>(
    text: string,
    values?: unknown[],
  ): Promise<Row[]>
}

const closeTimeoutMs = 2_000

/** Opens the pool. It connects on first use, so the process starts without a database. */
export function openDatabase({
  url,
  poolMax,
  onIdleError,
  queryTimeoutMs = 20_000,
  connectTimeoutMs = 5_000,
}: DatabaseOptions) {
  const statementName = createStatementNames()
  let pool = openPool()

  function openPool(): pg.Pool {
    const opened = new pg.Pool({
      connectionString: url,
      max: poolMax,
      connectionTimeoutMillis: connectTimeoutMs,
      // Authentication costs both sides more than hundreds of statements.
      idleTimeoutMillis: 60_000,
      query_timeout: queryTimeoutMs,
      statement_timeout: Math.round(queryTimeoutMs * 0.75),
      // A client that stops inside a transaction holds locks that others wait for. Ours never
      // pause there.
      idle_in_transaction_session_timeout: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      application_name: 'presenton-gateway',
    })
    opened.on('error', (error) => onIdleError?.(error))
    // A server that shuts down can report it between two uses of a connection. Without a listener
    // that error would end the process.
    opened.on('connect', (client) => client.on('error', () => undefined))
    return opened
  }

  /**
   * When one connection stops responding, the others usually have, too. Each would be found only by
   * a statement that times out, so all are replaced at once.
   */
  function replacePool(stalled: pg.Pool): void {
    if (pool !== stalled || stalled.ending) return
    pool = openPool()
    void stalled.end().catch(() => undefined)
  }

  /**
   * Tries again when the connect timeout fires late. Timers run before sockets are read, so after a
   * pause of this process the timeout wins over a connection that is ready. Nothing was sent yet.
   */
  async function withConnection<T>(work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    try {
      return await work()
    } catch (error) {
      const isLate = performance.now() - startedMs > 1.1 * connectTimeoutMs
      if (!isConnectTimeout(error) || !isLate) throw error
      return work()
    }
  }

  /** Runs one statement. `timeoutMs` bounds the statement, not the wait for a connection. */
  async function query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    timeoutMs = queryTimeoutMs,
  ): Promise<Row[]> {
    const used = pool
    try {
      const name = statementName(text)
      // The driver's types lack query_timeout.
      const statement = { name, text, values, query_timeout: timeoutMs } as pg.QueryConfig
      return (await withConnection(() => used.query<Row>(statement))).rows
    } catch (error) {
      if (isQueryTimeout(error)) replacePool(used)
      throw toProblem(error)
    }
  }

  /**
   * Runs `work` in one transaction; an error of `work` rolls it back. `first` is SQL that is sent
   * together with the BEGIN, at no extra round trip.
   */
  async function transaction<T>(work: (client: Queryable) => Promise<T>, first = ''): Promise<T> {
    const used = pool
    let client: pg.PoolClient
    try {
      client = await withConnection(() => used.connect())
    } catch (error) {
      throw toProblem(error)
    }
    let connectionError: Error | undefined
    const onError = (error: Error) => {
      connectionError = error
    }
    client.on('error', onError)
    try {
      await client.query(first ? `begin; ${first}` : 'begin')
      const result = await work(withPreparedStatements(client, statementName))
      const { command } = await client.query('commit')
      // Postgres reports no error when it rolls back because an earlier statement failed.
      if (command === 'ROLLBACK') {
        throw new Error('The transaction was rolled back: one of its statements had failed.')
      }
      return result
    } catch (error) {
      if (isQueryTimeout(error)) {
        // No ROLLBACK: it would time out as well. Closing the connection ends the transaction.
        connectionError = error as Error
        replacePool(used)
      } else {
        await client.query('rollback').catch((rollbackError: Error) => {
          connectionError ??= rollbackError
        })
      }
      throw toProblem(error)
    } finally {
      client.off('error', onError)
      // With an error the pool closes the connection.
      client.release(connectionError)
    }
  }

  return {
    query,
    transaction,
    /** Rejects unless the database responds and has our tables. */
    async ping(): Promise<void> {
      await query('select 1 from gateway.queue_clock')
    },
    /** Closes the connections; waits at most two seconds for the server. */
    async close(): Promise<void> {
      const closed = new AbortController()
      const timeout = sleep(closeTimeoutMs, closed.signal).catch(() => undefined)
      await Promise.race([pool.end(), timeout])
      closed.abort()
    },
  }
}

function withPreparedStatements(
  client: pg.PoolClient,
  statementName: (text: string) => string | undefined,
): Queryable {
  return {
    // A text without values may be a SET or hold several statements: those can't be prepared.
    async query<Row extends pg.QueryResultRow>(text: string, values?: unknown[]) {
      const statement = values ? { name: statementName(text), text, values } : text
      return (await client.query<Row>(statement)).rows
    },
  }
}
