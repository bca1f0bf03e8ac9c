// Calls that sign themselves in: as the gateway's own login or key, or as the account of a user.

import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'
import type { Credentials } from './account.ts'
import { type Auth, createAuth } from './auth.ts'
import type { Breaker } from './breaker.ts'
import type { CallMetrics } from './call-metrics.ts'
import { type Calls, createCalls } from './calls.ts'
import { paths } from './dialect.ts'
import type { Liveness } from './liveness.ts'
import type { Requests } from './requests.ts'
import { createUserAccounts, type UserAccountsOptions } from './user-accounts.ts'

export interface SignedCallsOptions {
  credentials: Credentials | undefined
  apiKey: string | undefined
  users: UserAccountsOptions | undefined
  requests: Requests
  metrics: CallMetrics
  breaker: Breaker
  liveness: Liveness
  timeoutMs: number
  closing: AbortSignal
  logger: Pick<Logger, 'warn'>
  troubles: Pick<Troubles, 'report' | 'clear'>
  now: () => number
}

export function createSignedCalls(options: SignedCallsOptions) {
  const { users, requests, metrics, timeoutMs, closing, logger, troubles, now } = options
  const { credentials, apiKey, breaker, liveness } = options

  const postLogin = (json: Credentials) =>
    metrics.measure('login', () =>
      requests.fetchText({
        routeKind: 'login',
        isCheap: true,
        method: 'POST',
        path: paths.login,
        json,
        timeoutMs,
        signal: closing,
      }),
    )
  const userAccounts = createUserAccounts({
    users,
    requests,
    postLogin,
    calls: () => calls,
    timeoutMs,
    closing,
    logger,
    troubles,
    now,
  })
  const { sessions } = userAccounts
  const auth: Auth = createAuth({
    credentials,
    apiKey,
    postLogin: userAccounts.postLogin,
    userSessions: sessions,
    troubles,
    now,
  })
  const calls: Calls = createCalls({
    requests,
    auth,
    breaker,
    liveness,
    verifyTimeoutMs: timeoutMs,
    now,
  })
  return { sessions, auth, calls }
}
