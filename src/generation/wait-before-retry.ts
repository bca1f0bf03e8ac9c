// The wait of a run before another attempt, and what readers are told during it.

import type { ProblemCode } from '../contract/problem.ts'
import type { FailureKind, Problem } from '../domain/problem.ts'
import type { Context } from './context.ts'

const sentencesByFailure: Partial<Record<FailureKind, string>> = {
  credentials: 'The presentation generator does not accept this service now. Waiting for it.',
  limit: 'The language model is at its limit. Trying again when it allows.',
}
const sentences: Partial<Record<ProblemCode, string>> = {
  UPSTREAM_UNAVAILABLE: 'The presentation generator is unavailable. Waiting for it.',
  STORAGE_UNAVAILABLE: 'The file store is unavailable. Trying again.',
  UPSTREAM_TIMEOUT: 'The presentation generator took too long. Trying again.',
}
const otherFailure = 'The presentation generator failed. Trying again.'

/** Rejects when the run has to end, to be released, or to release its slot during the wait. */
export async function waitBeforeRetry(
  { code, failure }: Problem,
  waitMs: number,
  { status, wait }: Context,
): Promise<void> {
  const retryInSeconds = Math.ceil(waitMs / 1000)
  const sentence = (failure && sentencesByFailure[failure]) ?? sentences[code] ?? otherFailure
  await status(sentence, { code, retry_in_seconds: retryInSeconds })
  await wait(waitMs, failure)
}
