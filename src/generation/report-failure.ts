// Who learns that a run ended badly, beside its readers: the log, its trace, and for unexpected
// errors the reports of errors.

import type { Problem } from '../domain/problem.ts'
import { activeSpan } from '../telemetry/traces/span.ts'
import type { Context } from './context.ts'

export function reportFailure({ run, logger, reportError }: Context, problem: Problem): void {
  logger.warn({ code: problem.code, stage: run.stage, err: problem.cause }, 'run failed')
  activeSpan()?.fail(problem.code)
  if (problem.code !== 'INTERNAL_ERROR') return
  const tags = { stage: run.stage ?? undefined, run: run.runKind }
  reportError?.(problem.cause ?? problem, { kind: 'run', tags, userId: run.userId })
}
