// Simulates a run that meets faults, by the promised rules: which stages start, which status events
// appear, what is paid for, and how the run ends. Independent of the code of the gateway.

import type { FaultName, Shape, Spend } from '../sandbox/presenton/stand-in.ts'
import {
  type Effect,
  effectOf,
  hasStartedWork,
  type Operation,
  operationOf,
  operations,
  type Stage,
  stageOf,
} from './fault-effects.ts'

export interface Outcome {
  /** Started stages, in order. */
  stages: Stage[]
  /** Stage and code of each `status` event that the gateway itself sends. */
  statuses: [Stage, string][]
  spent: Spend
  /** Code of the terminal error; undefined when the run completes. */
  code: string | undefined
}

const codes: Partial<Record<Effect, string>> = {
  outage: 'UPSTREAM_UNAVAILABLE',
  timeout: 'UPSTREAM_TIMEOUT',
}
const maxAttempts: Record<Stage, number> = {
  create: 3,
  outlines: 2,
  prepare: 3,
  slides: 2,
  export: 5,
  store: 10,
}
const maxSlideStreams = 3

const costOf: Partial<Record<Operation, keyof Spend>> = {
  outlines: 'outlines',
  prepare: 'prepares',
  slides: 'slideStreams',
  export: 'exports',
}
const resultOf = {
  create: 'deck',
  outlines: 'outlines',
  prepare: 'prepared',
  slides: 'slides',
  export: 'file',
  store: 'stored',
} as const satisfies Record<Stage, string>

/** The outcome of a run that meets each of the faults `times` times. */
export function expectedOutcome(names: readonly FaultName[], shape: Shape, times = 1): Outcome {
  const remaining = names.map((name) => ({ name, times }))
  const outcome: Outcome = {
    stages: [],
    statuses: [],
    spent: { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 },
    code: undefined,
  }
  const has = {
    deck: false,
    outlines: false,
    prepared: false,
    slides: false,
    file: false,
    stored: false,
  }
  const failures: Partial<Record<Stage, number>> = {}
  let hasBadPath = false
  let slideStreams = 0

  /** Calls upstream until there is no outage, and returns the effect on the run. */
  function call(operation: Operation, stage: Stage): Effect {
    const fault = remaining.find((one) => one.times > 0 && operationOf(one.name) === operation)
    if (!fault) {
      pay(operation)
      return 'none'
    }
    fault.times -= 1
    const effect = effectOf(fault.name, shape)
    if (effect === 'none' || hasStartedWork(fault.name)) pay(operation)
    if (effect === 'rejected') outcome.code = 'UPSTREAM_REJECTED'
    if (effect === 'none' || effect === 'rejected' || effect === 'bad path') return effect
    return fail(effect, operation, stage)
  }

  function fail(effect: Effect, operation: Operation, stage: Stage): Effect {
    const code = codes[effect] ?? 'UPSTREAM_ERROR'
    const failedStage = effect === 'bad file' ? 'export' : stage
    if (effect !== 'outage' && effect !== 'limit' && operation !== 'read')
      failures[failedStage] = (failures[failedStage] ?? 0) + 1
    if ((failures[failedStage] ?? 0) >= maxAttempts[failedStage]) outcome.code = code
    else if (!(effect === 'deck gone' && operation === 'read')) outcome.statuses.push([stage, code])
    return effect === 'outage' && outcome.code === undefined ? call(operation, stage) : effect
  }

  function pay(operation: Operation): void {
    const cost = costOf[operation]
    if (cost) outcome.spent[cost] += 1
  }

  function runStage(stage: Stage): Effect {
    outcome.stages.push(stage)
    if (stage === 'slides' && slideStreams === maxSlideStreams) {
      outcome.code = 'UPSTREAM_ERROR'
      return 'rejected'
    }
    if (stage === 'store' && hasBadPath) {
      hasBadPath = false
      return fail('bad file', 'file', stage)
    }
    const calls = operations.filter(
      (one) => stageOf[one] === stage && one !== 'read' && (one !== 'update' || shape === 'A1'),
    )
    for (const operation of calls) {
      const effect = call(operation, stage)
      if (effect !== 'none') return effect
    }
    return 'none'
  }

  function loseDeck(): void {
    Object.assign(has, { deck: false, prepared: false, slides: false, file: false })
  }

  function nextStage(): Stage {
    if (!has.deck) return 'create'
    if (!has.outlines) return 'outlines'
    if (!has.prepared) return 'prepare'
    if (!has.slides) return 'slides'
    return has.file ? 'store' : 'export'
  }

  /** After failed slides: reads the deck before slides are paid for again. */
  function recoverSlides(slidesEffect: Effect): void {
    for (let attempt = 1; attempt <= 3; attempt += 1) {
      const effect = call('read', 'slides')
      if (effect === 'rejected') return
      if (effect === 'none' && slidesEffect === 'slides saved') {
        outcome.stages.push('slides')
        has.slides = true
        return
      }
      if (effect === 'none' || effect === 'deck gone') break
    }
    loseDeck()
  }

  while (outcome.code === undefined && !has.stored) {
    const stage = nextStage()
    const slidesFault = remaining.find(
      (one) =>
        one.times > 0 &&
        operationOf(one.name) === 'slides' &&
        effectOf(one.name, shape) !== 'outage',
    )
    // After a 4xx the slides were not started: the same deck is used again.
    const isRefusedBeforeStart =
      stage === 'slides' && slidesFault !== undefined && /:4\d\d/.test(slidesFault.name)
    const effect = runStage(stage)
    if (outcome.code !== undefined) break
    hasBadPath = effect === 'bad path'
    if (effect === 'none' || hasBadPath) has[resultOf[stage]] = true
    if (effect === 'deck gone') loseDeck()
    if (effect === 'bad file') has.file = false
    if (stage !== 'slides' || effect === 'deck gone' || isRefusedBeforeStart) continue
    slideStreams += 1
    if (effect !== 'none') recoverSlides(effect)
  }
  return outcome
}
