// The spans of a run. Each run is a trace of its own. Its context is saved in its row, so that a
// worker that takes it over continues the trace; a link leads to the request that accepted it.

import type { Stage } from '../contract/stages.ts'
import type { Run } from '../database/leases.ts'
import { inOwnSpan, inSpan, type Span } from '../telemetry/traces/span.ts'
import { parseTraceparent } from '../telemetry/traces/trace-context.ts'
import type { Tracer } from '../telemetry/traces/tracer.ts'
import type { Context, RunDependencies } from './context.ts'
import type { Outcome, StageResult } from './outcome.ts'

export type RunSpan = ReturnType<typeof createRunSpan>

/**
 * Performs `work` in the span of this part of the run, from its claim until the worker leaves it.
 */
export function inRunSpan<T>(
  tracer: Tracer | undefined,
  run: Run,
  work: (span: RunSpan | undefined) => Promise<T>,
): Promise<T> {
  if (!tracer) return work(undefined)
  const span = tracer.start('run', {
    kind: 'consumer',
    parent: parseTraceparent(run.runTrace),
    links: [parseTraceparent(run.requestTrace)],
    attributes: {
      'gateway.presentation.id': run.id,
      'gateway.run.number': run.run,
      'gateway.run.kind': run.runKind,
      'gateway.run.takeovers': run.takeovers,
    },
  })
  return inOwnSpan(span, () => work(createRunSpan(span, run)))
}

function createRunSpan(span: Span, run: Run) {
  let hasFirstSlide = false
  return {
    /** Queues the write of the context; it joins the commit of the first stage. */
    async save(context: Context): Promise<void> {
      if (run.runTrace !== null) return
      run.runTrace = span.traceparent
      await context.append({ changes: { runTrace: span.traceparent } })
    },
    setOutcome: (outcome: Outcome | 'released' | 'lease lost' | 'broke off') =>
      span.set({ 'gateway.run.outcome': outcome }),
    reportFirstSlide(seconds: number): void {
      if (hasFirstSlide) return
      hasFirstSlide = true
      const attributes = { 'gateway.run.time_to_first_slide': seconds }
      span.set(attributes)
      span.event('first slide', attributes)
    },
  }
}

export function reportFirstSlide(
  dependencies: RunDependencies,
  span: RunSpan | undefined,
): RunDependencies {
  if (!span) return dependencies
  return {
    ...dependencies,
    onFirstSlide(seconds) {
      span.reportFirstSlide(seconds)
      dependencies.onFirstSlide?.(seconds)
    },
  }
}

/** One start of a stage, with its waits. */
export const inStageSpan = (stage: Stage, work: () => Promise<StageResult>): Promise<StageResult> =>
  inSpan(`stage ${stage}`, { attributes: { 'gateway.stage': stage } }, async (span) => {
    const result = await work()
    if (result !== 'finished') span?.fail(result === 'failed' ? 'failed' : result.code)
    return result
  })

/** What one attempt does. A stage that waits for upstream makes several. */
export const inAttemptSpan = <T>(run: Run, stage: Stage, work: () => Promise<T>): Promise<T> =>
  inSpan(
    `attempt ${stage}`,
    { attributes: { 'gateway.stage': stage, 'gateway.attempt': run.starts[stage] ?? 1 } },
    work,
  )
