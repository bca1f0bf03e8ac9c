// Tells operators what keeps the store from working, and that it works again. A refusal of one
// action, such as storing objects, ends only when that action succeeds: the bucket may be readable
// all the while. Everything else ends with any success.

import { inSpan } from '../telemetry/traces/span.ts'
import type { Trouble, Troubles } from '../telemetry/troubles.ts'
import type { Explanation, StoreAction } from './explain.ts'
import { StoreProblem } from './store-problem.ts'

/** They prove that the bucket exists; a removal also succeeds without it. */
const needsBucket: ReadonlySet<StoreAction> = new Set<StoreAction>([
  'store objects',
  'read objects',
])

export type StoreReports = ReturnType<typeof createStoreReports>

export function createStoreReports(troubles: Pick<Troubles, 'report' | 'clear'> | undefined) {
  const latest = new Map<StoreAction, Explanation>()

  function forget(action: StoreAction): void {
    const reason = latest.get(action)?.reason
    latest.delete(action)
    const isShared = [...latest.values()].some((other) => other.reason === reason)
    if (reason !== undefined && !isShared) troubles?.clear('storage', reason)
  }

  function failed({ action, explanation, cause }: StoreProblem): void {
    if (latest.get(action)?.reason !== explanation.reason) forget(action)
    latest.set(action, explanation)
    troubles?.report('storage', toTrouble(explanation), cause)
  }

  function succeeded(action: StoreAction): void {
    for (const [other, { isFinal }] of latest) {
      const isDisproved =
        other === action || (other === 'create the bucket' && needsBucket.has(action))
      if (isDisproved || !isFinal) forget(other)
    }
  }

  return {
    succeeded,

    /** Reports how the action went. Errors of a source and of a signal say nothing of the store. */
    async reported<T>(action: StoreAction, work: () => Promise<T>): Promise<T> {
      const attributes = { 'rpc.system.name': 'aws-api', 'rpc.service': 'S3' }
      try {
        const result = await inSpan(`S3 ${action}`, { kind: 'client', attributes }, work)
        succeeded(action)
        return result
      } catch (error) {
        if (error instanceof StoreProblem) failed(error)
        throw error
      }
    },
  }
}

function toTrouble({ reason, variable, detail }: Explanation): Trouble {
  return { reason, variable, detail }
}

/** What a failed ping means; undefined when the error is not one of the store. */
export function explainStoreTrouble(error: unknown): Trouble | undefined {
  return error instanceof StoreProblem ? toTrouble(error.explanation) : undefined
}
