// What keeps an external part from working, for operators: /health shows it and one log line names
// it. The code that finds a trouble reports it here, and clears it when the part works again.

import type { Logger } from './logging.ts'

/** The parts outside of the gateway. `model` is the one that Presenton uses. */
export type Part = 'database' | 'storage' | 'presenton' | 'model' | 'issuer' | 'webhooks'

export type TroubleReason =
  /** No connection: refused, unresolvable, or broken. */
  | 'unreachable'
  /** A connection, but no response in time. */
  | 'no_response'
  /** Our credentials are refused, missing or expired. */
  | 'credentials_refused'
  /** The credentials are known, but may not do what is asked. */
  | 'access_denied'
  /** The part responds and refuses what we send; waiting does not help. */
  | 'request_refused'
  /** What the configuration names does not exist there, or does not fit. */
  | 'misconfigured'
  /** The gateway's tables are not there yet. */
  | 'not_migrated'
  /** A version or kind that the gateway cannot work with. */
  | 'unsupported'
  /** A limit of requests or tokens. */
  | 'limit_reached'
  /** It responds with errors. */
  | 'failing'
  /** Its tokens are signed correctly, and say something else than the configuration wants. */
  | 'tokens_refused'

export interface Trouble {
  reason: TroubleReason
  /** The environment variable to look at. */
  variable: string
  /** One sentence for operators. /health is public, so it holds no host, path, value or secret. */
  detail: string
}

export type Troubles = ReturnType<typeof createTroubles>

interface TroublesOptions {
  logger: Pick<Logger, 'warn' | 'info'>
  /** In ms, of a clock that never goes back. */
  now?: () => number
}

const names: Record<Part, string> = {
  database: 'the database',
  storage: 'the store',
  presenton: 'Presenton',
  model: "Presenton's model",
  issuer: 'the token issuer',
  webhooks: 'the secrets of webhooks',
}

/** A trouble that stays is logged again after this time. */
const repeatMs = 60_000

export function createTroubles({ logger, now = () => performance.now() }: TroublesOptions) {
  const known = new Map<Part, Map<TroubleReason, Trouble & { loggedAtMs: Map<string, number> }>>()

  function reasonsOf(part: Part) {
    const reasons = known.get(part) ?? new Map()
    known.set(part, reasons)
    return reasons
  }

  return {
    /** May be called for every failure: one line a minute for each reason and variable. */
    report(part: Part, trouble: Trouble, error?: unknown): void {
      const reasons = reasonsOf(part)
      const { reason, variable, detail } = trouble
      const loggedAtMs = reasons.get(reason)?.loggedAtMs ?? new Map<string, number>()
      reasons.set(reason, { ...trouble, loggedAtMs })
      if (now() - (loggedAtMs.get(variable) ?? Number.NEGATIVE_INFINITY) < repeatMs) return
      loggedAtMs.set(variable, now())
      const cause = error === undefined ? {} : { err: error }
      logger.warn({ part, reason, variable, ...cause }, `trouble with ${names[part]}: ${detail}`)
    },

    /** The part works again: as a whole, or as far as `reason` says. */
    clear(part: Part, reason?: TroubleReason): void {
      const reasons = reasonsOf(part)
      const hadTrouble = reason === undefined ? reasons.size > 0 : reasons.has(reason)
      if (!hadTrouble) return
      if (reason === undefined) reasons.clear()
      else reasons.delete(reason)
      logger.info({ part, ...(reason !== undefined && { reason }) }, `${names[part]} works again`)
    },

    /** The trouble of a part that began first; undefined if none is known. */
    of(part: Part): Trouble | undefined {
      const [first] = reasonsOf(part).values()
      if (!first) return undefined
      const { loggedAtMs, ...trouble } = first
      return trouble
    },
  }
}
