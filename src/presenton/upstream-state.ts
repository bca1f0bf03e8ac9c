// What is known of the connected Presenton: whether it responds, its version's capabilities, and
// the circuit breaker.

import { Problem } from '../domain/problem.ts'
import { type CallOptions, sharedAccount } from './account.ts'
import type { Auth } from './auth.ts'
import type { Breaker, BreakerState } from './breaker.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Calls } from './calls.ts'
import { asFarAsKnown, type Capabilities, capabilitiesOf } from './capabilities.ts'
import type { Liveness } from './liveness.ts'
import type { Probe } from './probe.ts'

export interface UpstreamStateOptions {
  metrics: CallMetrics
  probe: Probe
  breaker: Breaker
  liveness: Liveness
  calls: Calls
  auth: Auth
}

export function createUpstreamState({
  metrics,
  probe,
  breaker,
  liveness,
  calls,
  auth,
}: UpstreamStateOptions) {
  return {
    /** What the version can do. Asks it if that is unknown; rejects like any other call. */
    readCapabilities: ({ signal }: { signal: AbortSignal }): Promise<Capabilities> =>
      metrics.measure('capabilities', async () => capabilitiesOf(await probe.read(signal))),

    /** The same as far as it is known. Sends nothing. */
    knownCapabilities: (): Capabilities | undefined => asFarAsKnown(probe.known()),

    state: (): { breaker: BreakerState; supported: boolean | undefined; detail?: string } => ({
      breaker: breaker.state(),
      ...probe.support(),
    }),

    /**
     * Rejects with a Problem if upstream does not respond or is not supported. It acts for no
     * account.
     */
    ping: ({ signal }: { signal: AbortSignal }): Promise<void> =>
      metrics.measure('ping', async () => {
        await liveness.ping(signal)
        try {
          const { auth: kind } = await probe.read(signal)
          await calls.recheckCredentials({ account: sharedAccount, signal, auth: kind })
        } catch (error) {
          // It responds. Who refused the credentials has told the operator.
          if (!(error instanceof Problem && error.failure === 'credentials')) throw error
        }
      }),

    /**
     * Whether another run could go on now, although this one waits: upstream responds, and accepts
     * our credentials. The circuit breaker is neither asked nor told.
     */
    async isAvailable({ account, signal }: CallOptions): Promise<boolean> {
      if (auth.isRefused(account)) return false
      return liveness.responds(signal)
    },
  }
}
