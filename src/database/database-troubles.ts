// What an error of the database means for its operator, and how long a trouble that statements met
// is shown.
import type { Trouble, TroubleReason, Troubles } from '../telemetry/troubles.ts'
import { troubleRules } from './trouble-rules.ts'

/** A database that responds, but that the gateway cannot work with. */
export class UnusableDatabase extends Error {
  readonly trouble: Trouble
  constructor(trouble: Trouble) {
    super(trouble.detail)
    this.trouble = trouble
  }
}

const passing: ReadonlySet<TroubleReason> = new Set(['unreachable', 'no_response', 'not_migrated'])

/** False for what an operator has to fix. */
export const passesByItself = ({ reason }: Trouble): boolean => passing.has(reason)

const maxDepth = 5

/** undefined for an error that is not of the database, or says only that it is away. */
export function explainDatabaseError(error: unknown, depth = 0): Trouble | undefined {
  if (error instanceof UnusableDatabase) return error.trouble
  if (!(error instanceof Error) || depth > maxDepth) return undefined
  const code = 'code' in error && typeof error.code === 'string' ? error.code : ''
  const rule = troubleRules.find(
    (each) => each.code.test(code) && (each.message?.test(error.message) ?? true),
  )
  if (rule) return rule.trouble
  for (const cause of error instanceof AggregateError ? error.errors : [error.cause]) {
    const trouble = explainDatabaseError(cause, depth + 1)
    if (trouble) return trouble
  }
  return undefined
}

/** Pings may still succeed: some statements or some new connections fail, others do not. */
const partial: ReadonlySet<TroubleReason> = new Set(['access_denied', 'limit_reached'])
/** How long such a trouble is shown after its last error. */
const shownMs = 60_000

/** Takes the errors of statements and connections, and forgets them when pings succeed. */
export function createDatabaseTroubles(
  troubles: Pick<Troubles, 'report' | 'clear'>,
  now: () => number = () => performance.now(),
) {
  const lastAtMs = new Map<TroubleReason, number>()

  return {
    /** Only what waiting does not fix: an outage is found by pings, and ends with them. */
    report(error: unknown): void {
      const trouble = explainDatabaseError(error)
      if (!trouble || passesByItself(trouble)) return
      lastAtMs.set(trouble.reason, now())
      troubles.report('database', trouble, error)
    },

    reportWorks(): void {
      for (const [reason, atMs] of lastAtMs) {
        if (partial.has(reason) && now() - atMs < shownMs) continue
        lastAtMs.delete(reason)
        troubles.clear('database', reason)
      }
    },
  }
}
