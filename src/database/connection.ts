// The pool of Postgres connections. Every wait on it has a deadline, and trouble with the database itself becomes a Problem
// that says so, so that callers can tell "away" from "wrong".
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { Problem } from '../domain/problem.ts'
import * as schema from './schema.ts'

// bigint columns of ours (sequence numbers, sizes) stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export interface DatabaseOptions {
  url: string
  poolMax: number
  onIdleError?: (error: Error) => void
}

export type Database = ReturnType<typeof openDatabase>

/** What can run a statement: the pool, or the one connection of a transaction. */
export type Queryable = Pick<pg.PoolClient, 'query'>

const retryAfterSeconds = 5

/** Opens the pool. Connects at first need, so that the process starts without a database. */
export function openDatabase({ url, poolMax, onIdleError }: DatabaseOptions) {
  const pool = new pg.Pool({
    connectionString: url,
    max: poolMax,
    // An exhausted pool is an answer (503), not a hang.
    connectionTimeoutMillis: 5_000,
    // A connection whose other end vanished silently is given up after this; no statement of ours takes nearly as long.
    query_timeout: 20_000,
    statement_timeout: 15_000,
    idle_in_transaction_session_timeout: 30_000,
    keepAlive: true,
    keepAliveInitialDelayMillis: 5_000,
    application_name: 'presenton-gateway',
  })
  pool.on('error', (error) => onIdleError?.(error))

  async function query<Row extends pg.QueryResultRow>(text: string, values: unknown[] = []): Promise<Row[]> {
    try {
      return (await pool.query<Row>(text, values)).rows
    } catch (error) {
      throw asProblem(error)
    }
  }

  /** Runs `work` in one transaction; a thrown error rolls back. */
  async function transaction<T>(work: (client: Queryable) => Promise<T>): Promise<T> {
    let client: pg.PoolClient
    try {
      client = await pool.connect()
    } catch (error) {
      throw asProblem(error)
    }
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    try {
      await client.query('begin')
      const result = await work(client)
      await client.query('commit')
      return result
    } catch (error) {
      await client.query('rollback').catch((rollbackError: Error) => {
        broken ??= rollbackError
      })
      throw asProblem(error)
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  return {
    pool,
    db: drizzle(pool, { schema }),
    query,
    transaction,
    async ping(): Promise<void> {
      await query('select 1')
    },
    close: () => pool.end(),
  }
}

/** True for errors that mean the database is away (or its connection broke), false for those of a statement itself. */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof Problem) return error.code === 'DATABASE_UNAVAILABLE'
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // 08: connection, 57P: shutting down, 53: resources, 57014: statement timeout, 25P03: idle in transaction.
  if (/^(08|57P|53|57014$|25P03$)/.test(code)) return true
  // 3D000/28xxx: the database or the role is not there (yet).
  if (/^(3D000|28...)$/.test(code)) return true
  if (/^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN)/.test(code)) return true
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway)
  return /^(Connection terminated|timeout exceeded when trying to connect|Query read timeout|Client has encountered|Client was closed|Cannot use a pool)/.test(
    error.message,
  )
}

function asProblem(error: unknown): unknown {
  if (error instanceof Problem || !isDatabaseAway(error)) return error
  return new Problem('DATABASE_UNAVAILABLE', { cause: error, retryAfterSeconds })
}
