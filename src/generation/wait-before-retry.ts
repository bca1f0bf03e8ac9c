// The waits of a run between two tries, and what its readers are told meanwhile.

import type { ProblemCode } from '../contract/problem.ts'
import type { Problem } from '../domain/problem.ts'
import type { Context } from './context.ts'

const sentences: Partial<Record<ProblemCode, string>> = {
  UPSTREAM_UNAVAILABLE: 'The presentation generator cannot be reached; waiting for it.',
  STORAGE_UNAVAILABLE: 'The file store cannot be reached; trying again.',
  UPSTREAM_TIMEOUT: 'The presentation generator took too long; trying again.',
}

/** Rejects when the run is to end or to be left meanwhile. */
export async function waitBeforeRetry(
  { code }: Problem,
  waitMs: number,
  { status, wait }: Context,
): Promise<void> {
  await status(sentences[code] ?? 'The presentation generator failed; trying again.', {
    code,
    retry_in_seconds: Math.ceil(waitMs / 1000),
  })
  await wait(waitMs)
}
