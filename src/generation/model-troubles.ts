// What operators are told of Presenton's model: what its provider's texts say, until a stage in
// which the model works succeeds.

import type { Stage } from '../contract/stages.ts'
import type { ModelFailure, Problem } from '../domain/problem.ts'
import { paidStages } from '../domain/stage.ts'
import type { Trouble, Troubles } from '../telemetry/troubles.ts'

/** `LLM` and its neighbours are variables of Presenton. */
const troubleOf: Partial<Record<ModelFailure, Trouble>> = {
  limit: {
    reason: 'limit_reached',
    variable: 'MAX_RUNNING',
    detail: 'The model is at the limit of its provider, and runs wait. Fewer at once help.',
  },
  exhausted: {
    reason: 'limit_reached',
    variable: 'LLM',
    detail: 'The provider of the model says that its quota or credit is used up.',
  },
  credentials: {
    reason: 'credentials_refused',
    variable: 'LLM',
    detail: 'The provider of the model refuses the key that Presenton has for it.',
  },
  unreachable: {
    reason: 'unreachable',
    variable: 'LLM',
    detail: 'Presenton cannot reach the provider of its model.',
  },
  'unknown-model': {
    reason: 'misconfigured',
    variable: 'LLM',
    detail: 'The provider does not know the model that Presenton asks for.',
  },
}

export function reportModelFailure(
  troubles: Pick<Troubles, 'report'>,
  { stage, problem }: { stage: Stage; problem: Problem },
): void {
  const trouble = problem.modelFailure && troubleOf[problem.modelFailure]
  if (trouble && paidStages.has(stage)) troubles.report('model', trouble, problem.cause)
}

export function reportStageDone(troubles: Pick<Troubles, 'clear'>, stage: Stage): void {
  if (paidStages.has(stage)) troubles.clear('model')
}
