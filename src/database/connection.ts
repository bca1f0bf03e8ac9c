// Statements and transactions on Postgres. Every wait has a deadline, and an outage becomes the
// Problem DATABASE_UNAVAILABLE.
import pg from 'pg'
import { sleep } from '../async/signals.ts'
import { inSpan } from '../telemetry/traces/span.ts'
import { isQueryTimeout, isReadOnly, toProblem } from './database-errors.ts'
import { UnusableDatabase } from './database-troubles.ts'
import { openReplaceablePool } from './pool.ts'
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
  const pool = openReplaceablePool({
    url,
    poolMax,
    onIdleError,
    queryTimeoutMs,
    connectTimeoutMs,
  })

  /** What a failed statement means for the other connections, and for the caller. */
  function handleFailure(error: unknown, used: pg.Pool): unknown {
    if (isQueryTimeout(error) || isReadOnly(error)) pool.replace(used)
    reportError?.(error)
    return toProblem(error)
  }

  /** Runs one statement. `timeoutMs` bounds the statement, not the wait for a connection. */
  async function query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    timeoutMs = queryTimeoutMs,
  ): Promise<Row[]> {
    const used = pool.current()
    try {
      const name = statementName(text)
      // The driver's types lack query_timeout.
      const statement = { name, text, values, query_timeout: timeoutMs } as pg.QueryConfig
      return (await pool.withConnection((on) => on.query<Row>(statement))).rows
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
    const used = pool.current()
    let client: pg.PoolClient
    try {
      client = await pool.withConnection((on) => on.connect())
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
