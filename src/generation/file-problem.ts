// What an invalid file means for the run that stores it. The object store doesn't know where a file
// comes from; in a run it always comes from upstream.

import { Problem } from '../domain/problem.ts'
import { InvalidFile, SourceTimeout } from '../objects/invalid-file.ts'

/** The Problem for an invalid or stalled file; every other error unchanged. */
export function asUpstreamProblem(error: unknown): unknown {
  if (error instanceof InvalidFile)
    return new Problem('UPSTREAM_ERROR', { failure: 'bad-file', cause: error })
  if (error instanceof SourceTimeout)
    return new Problem('UPSTREAM_TIMEOUT', { failure: 'fault', cause: error })
  return error
}
