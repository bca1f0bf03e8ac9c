// Which errors mean that the database cannot be used now, and which that a statement is wrong. Only
// the first become the Problem DATABASE_UNAVAILABLE and may be retried: also refused credentials
// and missing rights, because an operator fixes them while work waits.
import { Problem } from '../domain/problem.ts'
import { explainDatabaseError } from './database-troubles.ts'

const retryAfterSeconds = 5

// 08: connection, 57P: shutdown, 53: resources, 57014: statement timeout, 25P03: idle in
// transaction, 25006: a standby not yet promoted, 40001 and 40P01: rolled back for another
// transaction, 3D000 and 28: the database or the role does not exist (yet), 42501: no right (yet).
const unavailableStates = /^(08...|57P..|53...|57014|25P03|25006|40001|40P01|3D000|28...|42501)$/

const networkCodes = /^(ECONN|EPIPE|ENOTFOUND|EAI_|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENETDOWN)/

// The driver's own errors have no code.
const driverMessages = new RegExp(
  `^(${[
    'Connection terminated',
    'timeout expired',
    'timeout exceeded when trying to connect',
    'Query read timeout',
    'Client has encountered',
    'Client was closed',
    'Cannot use a pool',
  ].join('|')})`,
)

/** True when the database cannot be reached or used, or its connection broke. */
export function isDatabaseUnavailable(error: unknown): boolean {
  if (error instanceof Problem) return error.code === 'DATABASE_UNAVAILABLE'
  if (!(error instanceof Error)) return false
  if (error instanceof AggregateError && error.errors.some(isDatabaseUnavailable)) return true
  const code = codeOf(error)
  return (
    unavailableStates.test(code) ||
    networkCodes.test(code) ||
    driverMessages.test(error.message) ||
    isExplained(error)
  )
}

/** Also what poolers, hosters and TLS say without a code of their own. */
function isExplained(error: Error): boolean {
  const trouble = explainDatabaseError(error)
  return trouble !== undefined && trouble.reason !== 'not_migrated'
}

/** The Problem DATABASE_UNAVAILABLE for an outage; any other error as it is. */
export function toProblem(error: unknown): unknown {
  if (error instanceof Problem) return error
  if (!isDatabaseUnavailable(error) && !isBeforeMigration(error)) return error
  return new Problem('DATABASE_UNAVAILABLE', { cause: error, retryAfterSeconds })
}

/** The statement got no response in time: its outcome is unknown and its connection useless. */
export function isQueryTimeout(error: unknown): boolean {
  const cause = error instanceof Problem ? error.cause : error
  return cause instanceof Error && cause.message === 'Query read timeout'
}

/** The pool had no connection in time: none became free, or none could be opened. */
export function isConnectTimeout(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error.message === 'timeout exceeded when trying to connect' ||
      error.message === 'Connection terminated due to connection timeout')
  )
}

/** The server accepts no writes: another one may be the primary by now. */
export function isReadOnly(error: unknown): boolean {
  const cause = error instanceof Problem ? error.cause : error
  return cause instanceof Error && codeOf(cause) === '25006'
}

/** The schema or a table is missing: the first migration has not been applied yet. */
function isBeforeMigration(error: unknown): boolean {
  return error instanceof Error && ['3F000', '42P01'].includes(codeOf(error))
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : ''
}
