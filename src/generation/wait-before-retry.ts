// The wait of a run before another attempt, and what readers are told during it.

import type { ProblemCode } from '../contract/problem.ts'
import type { Problem } from '../domain/problem.ts'
import type { Context } from './context.ts'

const sentences: Partial<Record<ProblemCode, string>> = {
  UPSTREAM_UNAVAILABLE: 'The presentation generator is unavailable. Waiting for it.',
  STORAGE_UNAVAILABLE: 'The file store is unavailable. Trying again.',
  UPSTREAM_TIMEOUT: 'The presentation generator took too long. Trying again.',
}
const otherFailure = 'The presentation generator failed. Trying again.'

/** Rejects when the run has to end or to be released during the wait. */
export async function waitBeforeRetry(
  { code }: Problem,
  waitMs: number,
  { status, wait }: Context,
): Promise<void> {
  const retryInSeconds = Math.ceil(waitMs / 1000)
  await status(sentences[code] ?? otherFailure, { code, retry_in_seconds: retryInSeconds })
  await wait(waitMs)
}
