// The pool of Postgres connections. Every wait on it has a deadline, and trouble with the database
// itself becomes a Problem that says so, so that callers can tell "away" from "wrong".
import pg from 'pg'
import { sleep } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { createStatementNames } from './statement-names.ts'

// bigint columns of ours (sequence numbers, sizes) stay far below 2^53.
pg.types.setTypeParser(pg.types.builtins.INT8, Number)

export interface DatabaseOptions {
  url: string
  poolMax: number
  onIdleError?: (error: Error) => void
  /** After how much silence a statement, and the connection it went over, is given up. */
  silenceMs?: number
  /** How long a statement waits for a connection. */
  connectMs?: number
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

const retryAfterSeconds = 5
const closeMs = 2_000

/** Opens the pool. Connects at first need, so that the process starts without a database. */
export function openDatabase({
  url,
  poolMax,
  onIdleError,
  silenceMs = 20_000,
  connectMs = 5_000,
}: DatabaseOptions) {
  const statementName = createStatementNames()
  let pool = openPool()

  function openPool(): pg.Pool {
    const opened = new pg.Pool({
      connectionString: url,
      max: poolMax,
      // An exhausted pool is an answer (503), not a hang.
      connectionTimeoutMillis: connectMs,
      // To sign in anew costs both ends more than some hundred statements.
      idleTimeoutMillis: 60_000,
      // No statement of ours takes nearly as long.
      query_timeout: silenceMs,
      statement_timeout: Math.round(silenceMs * 0.75),
      // Whoever is stopped or cut off in the middle of a transaction holds locks that others wait
      // for; ours never pause there.
      idle_in_transaction_session_timeout: 5_000,
      keepAlive: true,
      keepAliveInitialDelayMillis: 5_000,
      application_name: 'presenton-gateway',
    })
    opened.on('error', (error) => onIdleError?.(error))
    // A server that shuts down may say so in the moment between two holders of a connection, and an
    // error nobody listens to ends the process.
    opened.on('connect', (client) => client.on('error', () => undefined))
    return opened
  }

  /**
   * A connection that fell silent is rarely alone: what vanished without a word took all of them
   * with it, and each would be found out only by one more statement that waits for it. So all of
   * them are left to end by themselves, and new ones are made.
   */
  function replaceSilentPool(error: unknown, silent: pg.Pool): void {
    if (!isReadTimeout(error) || pool !== silent || silent.ending) return
    pool = openPool()
    void silent.end().catch(() => undefined)
  }

  /**
   * Timers run before sockets are read. A process that was held up, by its host or by itself, finds
   * the deadline over before it sees that the connection is there; so a deadline that comes late by
   * a tenth says nothing of the database, and there is one more try. Nothing was sent in the first.
   */
  async function withConnection<T>(work: () => Promise<T>): Promise<T> {
    const beganMs = performance.now()
    try {
      return await work()
    } catch (error) {
      if (!isConnectTimeout(error) || performance.now() - beganMs < 1.1 * connectMs) throw error
      return work()
    }
  }

  async function query<Row extends pg.QueryResultRow>(
    text: string,
    values: unknown[] = [],
    timeoutMs = silenceMs,
  ): Promise<Row[]> {
    const used = pool
    try {
      // The driver knows this option, its types do not.
      const statement = {
        name: statementName(text),
        text,
        values,
        query_timeout: timeoutMs,
      } as pg.QueryConfig
      return (await withConnection(() => used.query<Row>(statement))).rows
    } catch (error) {
      replaceSilentPool(error, used)
      throw asProblem(error)
    }
  }

  /**
   * Runs `work` in one transaction; a thrown error rolls back. `first` goes out with its begin, at
   * no further round trip.
   */
  async function transaction<T>(work: (client: Queryable) => Promise<T>, first = ''): Promise<T> {
    const used = pool
    let client: pg.PoolClient
    try {
      client = await withConnection(() => used.connect())
    } catch (error) {
      throw asProblem(error)
    }
    let broken: Error | undefined
    const onError = (error: Error) => {
      broken = error
    }
    client.on('error', onError)
    try {
      await client.query(first ? `begin; ${first}` : 'begin')
      const result = await work(withPreparedStatements(client, statementName))
      const { command } = await client.query('commit')
      // Postgres answers so, and calls it no error, when a statement before had failed and nobody
      // said so.
      if (command === 'ROLLBACK')
        throw new Error('The transaction had failed before it was committed.')
      return result
    } catch (error) {
      if (isReadTimeout(error)) {
        // Nothing more is said into a silence: the end of the connection is the end of its
        // transaction.
        broken = error as Error
        replaceSilentPool(error, used)
      } else {
        await client.query('rollback').catch((rollbackError: Error) => {
          broken ??= rollbackError
        })
      }
      throw asProblem(error)
    } finally {
      client.off('error', onError)
      client.release(broken)
    }
  }

  return {
    /** `timeoutMs` bounds the wait for the answer, not that for a connection. */
    query,
    transaction,
    /** Rejects unless the database answers and has our tables. */
    async ping(): Promise<void> {
      await query('select 1 from gateway.queue_clock')
    },
    /** Says goodbye; a server that does not answer is not waited for. */
    async close(): Promise<void> {
      const left = new AbortController()
      await Promise.race([pool.end(), sleep(closeMs, left.signal).catch(() => undefined)])
      left.abort()
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

/**
 * No answer came in time: nothing is known of the statement, and the connection is worth nothing
 * any more.
 */
function isReadTimeout(error: unknown): boolean {
  const cause = error instanceof Problem ? error.cause : error
  return cause instanceof Error && cause.message === 'Query read timeout'
}

/** The pool's own deadline is over: no connection came free, or none could be made. */
function isConnectTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    /^(timeout exceeded when trying to connect|Connection terminated due to connection timeout)$/.test(
      error.message,
    )
  )
}

/**
 * True for errors that mean the database is away (or its connection broke), false for those of a
 * statement itself.
 */
export function isDatabaseAway(error: unknown): boolean {
  if (error instanceof Problem) return error.code === 'DATABASE_UNAVAILABLE'
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  // 08: connection, 57P: shutting down, 53: resources, 57014: statement timeout, 25P03: idle in
  // transaction, 25006: a standby that is not promoted yet, 40: undone for the sake of another
  // transaction.
  if (/^(08|57P|53|57014$|25P03$|25006$|40001$|40P01$)/.test(code)) return true
  // 3D000/28xxx: the database or the role is not there (yet).
  if (/^(3D000|28...)$/.test(code)) return true
  if (/^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN)/.test(code))
    return true
  if (error instanceof AggregateError) return error.errors.some(isDatabaseAway)
  return /^(Connection terminated|timeout expired|timeout exceeded when trying to connect|Query read timeout|Client has encountered|Client was closed|Cannot use a pool)/.test(
    error.message,
  )
}

function asProblem(error: unknown): unknown {
  if (error instanceof Problem || !(isDatabaseAway(error) || isBeforeMigration(error))) return error
  return new Problem('DATABASE_UNAVAILABLE', { cause: error, retryAfterSeconds })
}

/**
 * Schema or table missing: to whoever asks before the first migration is through, the database is
 * not there yet.
 */
function isBeforeMigration(error: unknown): boolean {
  return (
    error instanceof Error && 'code' in error && (error.code === '3F000' || error.code === '42P01')
  )
}
