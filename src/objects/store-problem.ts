// The Problem that callers of the store get, with its explanation for operators.

import { Problem } from '../domain/problem.ts'
import { type Explanation, explainStoreError, type StoreAction } from './explain.ts'
import { StoreError } from './store-error.ts'

const refusedDetail =
  'The file store refuses the file. Its operator has to correct this before a retry.'

/** STORAGE_UNAVAILABLE. It is `final` when the same request can never succeed by waiting. */
export class StoreProblem extends Problem {
  readonly action: StoreAction
  readonly explanation: Explanation

  constructor(cause: unknown, action: StoreAction) {
    const explanation = explainStoreError(cause, action)
    const retryAfterSeconds = cause instanceof StoreError ? cause.retryAfterSeconds : undefined
    super('STORAGE_UNAVAILABLE', {
      cause,
      retryAfterSeconds,
      ...(explanation.isFinal && { failure: 'final', detail: refusedDetail }),
    })
    this.action = action
    this.explanation = explanation
  }
}

/** Whether the store itself refuses, so that only its operator can help. */
export function isRefusal(error: unknown): error is StoreProblem {
  return error instanceof StoreProblem && error.failure === 'final'
}

/**
 * The store's error code, such as `NoSuchKey` (`NotFound` when the response has no body), or the
 * code of a connection error. Undefined when there is none.
 */
export function storeErrorCode(error: unknown): string | undefined {
  const cause = error instanceof Problem ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}
