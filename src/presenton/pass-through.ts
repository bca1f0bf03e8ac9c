// What a request needs that goes upstream as it came: the headers of the account it acts for, and
// a refusal while upstream is known to be away. Its response is not judged.

import type { CallOptions } from './account.ts'
import type { Auth } from './auth.ts'
import type { Breaker } from './breaker.ts'
import { outage } from './failures.ts'
import type { Probe } from './probe.ts'

interface PassThroughOptions {
  auth: Auth
  breaker: Pick<Breaker, 'state'>
  probe: Pick<Probe, 'read'>
}

export interface PassHeaders {
  headers: Record<string, string>
  /** Upstream does not accept them: the next request gets others. */
  reject: () => void
}

export function createPassThrough({ auth, breaker, probe }: PassThroughOptions) {
  function checkCircuit(): void {
    if (breaker.state() === 'open') throw outage(new Error('the circuit breaker is open'))
  }

  return {
    /** @throws Problem UPSTREAM_UNAVAILABLE at once while the circuit breaker is open */
    checkCircuit,

    /** @throws the same, and what a login throws */
    async passHeaders({ account, signal }: CallOptions): Promise<PassHeaders> {
      checkCircuit()
      const { auth: kind } = await probe.read(signal)
      const used = await auth.headersFor({ account, signal, kind })
      // Upstream without users: others' decks would come back under the login that all share.
      if (!used.user) throw outage(new Error('upstream has no account of the user'))
      return { headers: used.headers, reject: () => void auth.renew({ account, used }) }
    },
  }
}
