// The pool of Postgres connections. Every wait on it has a deadline, and an outage becomes the
// Problem DATABASE_UNAVAILABLE.
import pg from 'pg'
import { sleep } from '../async/signals.ts'
import { inSpan } from '../telemetry/traces/span.ts'
import { openAddress } from './address.ts'
import { isConnectTimeout, isQueryTimeout, isReadOnly, toProblem } from './database-errors.ts'
import { UnusableDatabase } from './database-troubles.ts'
import { createStatementNames } from './statement-names.ts'
import { readOnly } from './trouble-rules.ts'

// bigint as number: our sequence numbers and sizes stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export interface DatabaseOptions {
  url: string
  poolMax: number
  onIdleError?: (error: Error) => void
  /** Receives what failed statements and connections throw. */
  onError?: (error: unknown) => void
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
const idleInTransactionMs = 5_000

/** Opens the pool. It connects on first use, so the process starts without a database. */
export function openDatabase({
  url,
  poolMax,
  onIdleError,
  onError: reportError,
  queryTimeoutMs = 20_000,
  connectTimeoutMs = 5_000,
}: DatabaseOptions) {
  const statementName = createStatementNames()
  const address = openAddress(url)
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
  function replacePool(stalled: pg.Pool): void {
    if (pool !== stalled || stalled.ending) return
    pool = openPool()
    void stalled.end().catch(() => undefined)
  }

  /**
   * Tries again when the connect timeout fires late. Timers run before sockets are read, so after a
   * pause of this process the timeout wins over a connection that is ready. Nothing was sent yet.
   * Also tries again when sslmode=prefer allows another kind of connection.
   */
  async function withConnection<T>(work: (on: pg.Pool) => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    const used = pool
    try {
      return await work(used)
    } catch (error) {
      const isLate = performance.now() - startedMs > 1.1 * connectTimeoutMs
      if (address.fallBack(error)) replacePool(used)
      else if (!isConnectTimeout(error) || !isLate) throw error
      return work(pool)
    }
  }

  /** What a failed statement means for the other connections, and for the caller. */
  function handleFailure(error: unknown, used: pg.Pool): unknown {
    if (isQueryTimeout(error) || isReadOnly(error)) replacePool(used)
    reportError?.(error)
    return toProblem(error)
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
      return (await withConnection((on) => on.query<Row>(statement))).rows
    } catch (error) {
      throw handleFailure(error, used)
    }
  }

  /**
   * Runs `work` in one transaction; an error of `work` rolls it back. `first` is SQL that is sent
   * together with the BEGIN, at no extra round trip.
   */
  function transaction<T>(work: (client: Queryable) => Promise<T>, first = ''): Promise<T> {
    const attributes = { 'db.system.name': 'postgresql' }
    return inSpan('transaction', { kind: 'client', attributes }, () => transact(work, first))
  }

  async function transact<T>(work: (client: Queryable) => Promise<T>, first: string): Promise<T> {
    const used = pool
    let client: pg.PoolClient
    try {
      client = await withConnection((on) => on.connect())
    } catch (error) {
      throw handleFailure(error, used)
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
      } else {
        await client.query('rollback').catch((rollbackError: Error) => {
          connectionError ??= rollbackError
        })
      }
      if (isReadOnly(error)) connectionError ??= error as Error
      throw handleFailure(error, used)
    } finally {
      client.off('error', onError)
      // With an error the pool closes the connection.
      client.release(connectionError)
    }
  }

  return {
    query,
    transaction,
    /** Rejects unless the database responds, has our tables, and accepts writes. */
    async ping(): Promise<void> {
      const [row] = await query<{ isReadOnly: boolean }>(
        `select current_setting('transaction_read_only') = 'on' as "isReadOnly"
         from (values (1)) one left join gateway.queue_clock on true limit 1`,
      )
      if (row?.isReadOnly) throw new UnusableDatabase(readOnly)
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
