// Verifies tokens, and reports what is wrong with them and with the keys of their issuer.

import type { Config } from '../config/config.ts'
import { createKeySetReports } from '../http/key-set-troubles.ts'
import { createRefusalReports, refusalReasons } from '../http/refusals.ts'
import { createTokenVerifier } from '../http/tokens.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Troubles } from '../telemetry/troubles.ts'

export interface VerifierOptions {
  config: Pick<Config, 'auth' | 'proxies'>
  logger: Logger
  metrics: Metrics
  troubles: Troubles
}

export function createVerifier({
  config: { auth, proxies },
  logger,
  metrics,
  troubles,
}: VerifierOptions) {
  const keySet = createKeySetReports(troubles)
  // Prometheus sees an increase only from a known value.
  for (const reason of refusalReasons) metrics.onTokensRefused(reason, 0)
  return createTokenVerifier(auth, {
    proxies,
    onKeysLoaded: keySet.onLoaded,
    onKeysFailed: keySet.onFailed,
    ...createRefusalReports({ auth, logger, troubles, count: metrics.onTokensRefused }),
  })
}
