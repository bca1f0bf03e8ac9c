import { describe, expect, it } from 'vitest'
import { Problem } from '../domain/problem.ts'
import type { Trouble } from '../telemetry/troubles.ts'
import { isDatabaseUnavailable } from './database-errors.ts'
import { createDatabaseTroubles, explainDatabaseError } from './database-troubles.ts'

const errorOf = (code: string | undefined, message = 'x') =>
  Object.assign(new Error(message), code !== undefined && { code })

describe('explainDatabaseError', () => {
  // Texts as servers, poolers and hosters send them.
  it.each([
    ['28P01', 'password authentication failed for user "gateway"', 'credentials_refused'],
    ['28000', 'role "gateway" does not exist', 'credentials_refused'],
    ['28000', 'role "gateway" is not permitted to log in', 'credentials_refused'],
    ['08P01', 'no such user: gateway', 'credentials_refused'],
    ['08P01', 'server login failed: FATAL password authentication failed', 'credentials_refused'],
    ['XX000', 'Tenant or user not found', 'credentials_refused'],
    [
      undefined,
      'SASL: SCRAM-SERVER-FIRST-MESSAGE: client password must be a string',
      'credentials_refused',
    ],
    ['3D000', 'database "decks" does not exist', 'misconfigured'],
    ['08P01', 'no such database: decks', 'misconfigured'],
    ['XX000', 'The requested endpoint could not be found', 'misconfigured'],
    ['08P01', 'unsupported startup parameter: options', 'misconfigured'],
    [
      '28000',
      'no pg_hba.conf entry for host "10.0.0.1", user "u", database "d", no encryption',
      'misconfigured',
    ],
    ['08P01', 'SSL required', 'misconfigured'],
    ['28000', 'no pg_hba.conf entry for host "10.0.0.1", SSL encryption', 'access_denied'],
    ['42501', 'permission denied for database decks', 'access_denied'],
    ['42501', 'permission denied for schema gateway', 'access_denied'],
    ['53300', 'sorry, too many clients already', 'limit_reached'],
    ['53300', 'remaining connection slots are reserved', 'limit_reached'],
    ['08P01', 'no more connections allowed (max_client_conn)', 'limit_reached'],
    ['XX000', 'MaxClientsInSessionMode: max clients reached', 'limit_reached'],
    ['08P01', 'query_wait_timeout', 'limit_reached'],
    ['XX000', 'Your project has exceeded the compute time quota.', 'limit_reached'],
    ['25006', 'cannot execute INSERT in a read-only transaction', 'misconfigured'],
    ['57P04', 'terminating connection because the database was dropped', 'misconfigured'],
    ['57P03', 'the database system is starting up', 'unreachable'],
    ['53100', 'could not extend file: No space left on device', 'failing'],
    ['26000', 'prepared statement "gateway_1" does not exist', 'unsupported'],
    ['42P05', 'prepared statement "gateway_1" already exists', 'unsupported'],
    ['08P01', 'transaction blocks not allowed in statement pooling mode', 'unsupported'],
    ['SELF_SIGNED_CERT_IN_CHAIN', 'self-signed certificate in chain', 'misconfigured'],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'unable to verify', 'misconfigured'],
    ['CERT_HAS_EXPIRED', 'certificate has expired', 'misconfigured'],
    ['ERR_TLS_CERT_ALTNAME_INVALID', 'Hostname does not match', 'misconfigured'],
    [undefined, 'The server does not support SSL connections', 'misconfigured'],
    [undefined, 'The server does not support channel binding', 'misconfigured'],
    [undefined, 'received invalid response: 4a', 'misconfigured'],
    ['ENOTFOUND', 'getaddrinfo ENOTFOUND db', 'unreachable'],
    ['ENOENT', 'connect ENOENT /run/postgresql/.s.PGSQL.5432', 'misconfigured'],
    [undefined, 'timeout expired', 'no_response'],
  ])('%s %s: %s', (code, message, reason) => {
    const error = errorOf(code, message)
    const trouble = explainDatabaseError(error)
    expect(trouble).toMatchObject({ reason, variable: expect.stringMatching(/^DATABASE_/) })
    // Details are public.
    expect(trouble?.detail).not.toMatch(/10\.0|gateway_1|decks/)
    expect(isDatabaseUnavailable(error)).toBe(true)
    const problem = new Problem('DATABASE_UNAVAILABLE', { cause: error })
    expect(explainDatabaseError(new AggregateError([problem]))).toEqual(trouble)
  })

  it.each([
    ['23505', 'duplicate key'],
    ['22P02', 'invalid input: "password authentication failed"'],
    ['ENOENT', 'ENOENT: no such file or directory'],
    [undefined, 'login failed'],
    ['XX000', 'cache lookup failed'],
  ])('says nothing of other errors: %s %s', (code, message) => {
    const error = errorOf(code, message)
    expect(explainDatabaseError(error)).toBeUndefined()
    expect(isDatabaseUnavailable(error)).toBe(false)
  })
})

describe('the troubles of statements', () => {
  function openTroubles() {
    let nowMs = 0
    const shown = new Set<string>()
    const troubles = createDatabaseTroubles(
      {
        report: (_part: string, { reason }: Trouble) => void shown.add(reason),
        clear: (_part: string, reason?: string) => void (reason && shown.delete(reason)),
      },
      () => nowMs,
    )
    const pass = (ms: number) => {
      nowMs += ms
    }
    return { troubles, shown, pass }
  }

  it('leaves outages to the pings, which know when they end', () => {
    const { troubles, shown } = openTroubles()
    for (const code of ['ECONNREFUSED', '57P01', '57P03', '42P01']) troubles.report(errorOf(code))
    expect([...shown]).toEqual([])
  })

  it('shows what pings do not meet for a minute after its last error', () => {
    const { troubles, shown, pass } = openTroubles()
    troubles.report(errorOf('42501'))
    troubles.report(errorOf('25006'))
    pass(30_000)
    troubles.report(errorOf('42501'))
    troubles.reportWorks()
    expect([...shown]).toEqual(['access_denied'])
    pass(59_999)
    troubles.reportWorks()
    expect([...shown]).toEqual(['access_denied'])
    pass(1)
    troubles.reportWorks()
    expect([...shown]).toEqual([])
  })
})
