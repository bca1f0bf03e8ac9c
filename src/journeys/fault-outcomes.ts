// What each fault of the stand-in should come to, by the promises: which stages are started again,
// what readers are told, what is paid again, and how the run ends. Written as a table and a small
// reckoning of its own, so that the gateway is not measured by itself.

import type { FaultName, Shape, Spend } from '../sandbox/presenton/stand-in.ts'

export type Stage = 'create' | 'outlines' | 'prepare' | 'slides' | 'export' | 'store'

/**
 * The operations of a run, and the stage in which each is asked for. `read` is asked for after
 * slides that failed.
 */
export const stageOf = {
  create: 'create',
  outlines: 'outlines',
  prepare: 'prepare',
  slides: 'slides',
  read: 'slides',
  update: 'export',
  export: 'export',
  file: 'store',
} as const satisfies Record<string, Stage>

export type Operation = keyof typeof stageOf
export const operations = Object.keys(stageOf) as Operation[]

/** What a fault means to the run that meets it. */
export type Effect =
  /** Nothing: the run goes on as if it had not been. */
  | 'nothing'
  /** Waited out; no attempt is burnt. */
  | 'outage'
  /** An attempt is burnt, and the stage is started again. */
  | 'fault'
  /** The same, after a deadline or a stall. */
  | 'timeout'
  /** As a fault, but upstream had done its work: all slides are there. */
  | 'kept'
  /** The deck is not there any more: again from create, with the saved outlines. */
  | 'gone'
  /** The file is not what it should be: exported again. */
  | 'bad file'
  /**
   * The export names a path that is none of its files: found out when it is to be fetched, without
   * asking.
   */
  | 'bad path'
  /** The run ends at once. */
  | 'refused'

const outages = ['502', '503', '504']
const faults = [
  '500',
  '500-detail',
  '408',
  '429',
  '429-page',
  'redirect',
  'reset',
  'reply-lost',
  'reply-half',
  'reply-huge',
]
const refusals = ['400', '401', '403', '404-route', '405', '413', '422', '428']
const unreadable = ['reply-empty', 'reply-html', 'reply-not-json', 'reply-other-shape']
const brokenStreams = [
  'ends',
  'ends-empty',
  'no-complete',
  'cut',
  'cut-before-complete',
  'oversized',
]
const stalls = ['stall', 'stall-at-once', 'stall-half-way', 'stall-before-complete']
const afterSaving = [
  'saved-no-complete',
  'saved-cut',
  'complete-empty',
  'complete-null',
  'complete-of-another-deck',
]

/** Faults during which nothing happens until a deadline has passed. */
export const isSlow = (name: FaultName) =>
  /:(hang|stall|stall-at-once|stall-half-way|stall-before-complete|announced-huge)$/.test(name)

/** Which shapes the suite drives with a login; A1 has none, and B1 is driven with a key. */
export const hasLogin = (shape: Shape) => shape === 'T' || shape === 'B2'

export function operationOf(name: FaultName): Operation | undefined {
  const operation = name.split(':')[0] as string
  return operation in stageOf ? (operation as Operation) : undefined
}

export function effectOf(name: FaultName, shape: Shape): Effect {
  const operation = operationOf(name) as Operation
  const what = name.slice(operation.length + 1)
  if (outages.includes(what)) return 'outage'
  // Where there is somebody to log in, that is done once and the call is made again.
  if (what === '401' && hasLogin(shape)) return 'nothing'
  if (operation === 'file') return meaningForFile(what)
  if (faults.includes(what)) return 'fault'
  if (what === 'hang') return 'timeout'
  if (what === '404') return operation === 'create' ? 'refused' : 'gone'
  // There upstream passes on the status of its model.
  if (operation === 'prepare' && refusals.includes(what))
    return what === '422' || what === '401' ? 'refused' : 'fault'
  if (refusals.includes(what)) return 'refused'
  // Of these replies nothing is needed but that they came.
  if (unreadable.includes(what))
    return operation === 'prepare' || operation === 'update' ? 'nothing' : 'fault'
  if (operation === 'outlines' || operation === 'slides')
    return meaningInStream(operation, what, shape)
  if (operation === 'prepare') return meaningForModel(what, shape)
  if (operation === 'export')
    return what.startsWith('path-') && !/-(number|missing)$/.test(what) ? 'bad path' : 'fault'
  throw new Error(`The table says nothing of ${name}.`)
}

function meaningForFile(what: string): Effect {
  if (faults.includes(what) && what !== 'redirect') return 'fault'
  if (['hang', 'stall', 'announced-huge'].includes(what)) return 'timeout'
  if (what === '401' || what === '403') return 'refused'
  return what === 'no-length' ? 'nothing' : 'bad file'
}

function meaningForModel(what: string, shape: Shape): Effect {
  if (what === 'template-missing') return 'refused'
  // The newer shapes say 503 for a model that cannot be reached: to a caller that is upstream
  // itself.
  return what === 'model-503' && (shape === 'B1' || shape === 'B2') ? 'outage' : 'fault'
}

function meaningInStream(operation: 'outlines' | 'slides', what: string, shape: Shape): Effect {
  if (
    brokenStreams.includes(what) ||
    (what.startsWith('error-') && what !== 'error-after-complete')
  )
    return 'fault'
  if (stalls.includes(what)) return 'timeout'
  if (afterSaving.includes(what)) return operation === 'slides' ? 'kept' : 'fault'
  if (what === 'complete-short') return operation === 'slides' ? 'kept' : 'nothing'
  // The newer shapes say `error` when the model did not write as many outlines as were asked for.
  if (what === 'few' || what === 'many')
    return shape === 'B1' || shape === 'B2' ? 'fault' : 'nothing'
  return 'nothing'
}

/** Whether upstream had begun with what is paid for when the fault struck. */
function hasBegun(name: FaultName): boolean {
  const what = name.split(':')[1] as string
  const isAnswer = [...outages, ...faults.slice(0, 7), ...refusals, '404', 'hang'].includes(what)
  return !isAnswer && !/^(model-|index-error|template-missing|convert-|runtime-)/.test(what)
}

export interface Outcome {
  stages: Stage[]
  /** Stage and code of each `status` event of the gateway's own. */
  statuses: [Stage, string][]
  spent: Spend
  /** The code of the terminal error; undefined when the run completes. */
  code: string | undefined
}

const codes = { outage: 'UPSTREAM_UNAVAILABLE', timeout: 'UPSTREAM_TIMEOUT' } as Partial<
  Record<Effect, string>
>
const maxAttempts: Record<Stage, number> = {
  create: 3,
  outlines: 2,
  prepare: 3,
  slides: 2,
  export: 5,
  store: 10,
}
const maxSlideStreams = 3

/** The way of a run that meets each of the faults `times` times. */
export function expectedOutcome(names: readonly FaultName[], shape: Shape, times = 1): Outcome {
  const left = names.map((name) => ({ name, times }))
  const nextOf = (operation: Operation) =>
    left.find((fault) => fault.times > 0 && operationOf(fault.name) === operation)
  const made: Outcome = {
    stages: [],
    statuses: [],
    spent: { outlines: 0, prepares: 0, slideStreams: 0, exports: 0 },
    code: undefined,
  }
  let isElsewhere = false
  let slideStreams = 0
  const has = {
    deck: false,
    outlines: false,
    prepared: false,
    slides: false,
    file: false,
    stored: false,
  }
  const failures: Partial<Record<Stage, number>> = {}

  /** Asks upstream for something, in `stage`: what it met, once there is no outage any more. */
  function ask(operation: Operation, stage: Stage): Effect {
    const fault = nextOf(operation)
    if (!fault) {
      pay(operation)
      return 'nothing'
    }
    fault.times -= 1
    const meaning = effectOf(fault.name, shape)
    if (meaning === 'nothing' || hasBegun(fault.name)) pay(operation)
    if (meaning === 'refused') made.code = 'UPSTREAM_REJECTED'
    if (['nothing', 'refused', 'bad path'].includes(meaning)) return meaning
    return burn(meaning, operation, stage)
  }

  function burn(meaning: Effect, operation: Operation, stage: Stage): Effect {
    const code = codes[meaning] ?? 'UPSTREAM_ERROR'
    const burns = meaning === 'bad file' ? 'export' : stage
    if (meaning !== 'outage' && operation !== 'read') failures[burns] = (failures[burns] ?? 0) + 1
    if ((failures[burns] ?? 0) >= maxAttempts[burns]) made.code = code
    else if (!(meaning === 'gone' && operation === 'read')) made.statuses.push([stage, code])
    return meaning === 'outage' && made.code === undefined ? ask(operation, stage) : meaning
  }

  function pay(operation: Operation): void {
    const paid = {
      outlines: 'outlines',
      prepare: 'prepares',
      slides: 'slideStreams',
      export: 'exports',
    } as const
    if (operation in paid) made.spent[paid[operation as keyof typeof paid]] += 1
  }

  function start(stage: Stage): Effect {
    made.stages.push(stage)
    // One that broke may have been begun, and counts as one that was.
    if (stage === 'slides' && slideStreams === maxSlideStreams) {
      made.code = 'UPSTREAM_ERROR'
      return 'refused'
    }
    if (stage === 'store' && isElsewhere) {
      isElsewhere = false
      return burn('bad file', 'file', stage)
    }
    const asked = operations.filter(
      (one) => stageOf[one] === stage && one !== 'read' && (one !== 'update' || shape === 'A1'),
    )
    for (const operation of asked) {
      const met = ask(operation, stage)
      if (met !== 'nothing') return met
    }
    return 'nothing'
  }

  const loseDeck = () =>
    Object.assign(has, { deck: false, prepared: false, slides: false, file: false })
  const next = (): Stage =>
    !has.deck
      ? 'create'
      : !has.outlines
        ? 'outlines'
        : !has.prepared
          ? 'prepare'
          : !has.slides
            ? 'slides'
            : has.file
              ? 'store'
              : 'export'
  const gained = {
    create: 'deck',
    outlines: 'outlines',
    prepare: 'prepared',
    slides: 'slides',
    export: 'file',
    store: 'stored',
  } as const

  while (made.code === undefined && !has.stored) {
    const stage = next()
    const fault = left.find(
      ({ name, times }) =>
        times > 0 && operationOf(name) === 'slides' && effectOf(name, shape) !== 'outage',
    )
    // What was asked too often is asked again of the same deck.
    const isUnbegun = stage === 'slides' && fault !== undefined && /:4\d\d/.test(fault.name)
    const met = start(stage)
    if (made.code !== undefined) break
    isElsewhere = met === 'bad path'
    if (met === 'nothing' || isElsewhere) has[gained[stage]] = true
    if (met === 'gone') loseDeck()
    if (met === 'bad file') has.file = false
    if (stage !== 'slides' || met === 'gone' || isUnbegun) continue
    slideStreams += 1
    if (met !== 'nothing') look(met)
  }
  return made

  /** Before slides are paid for again. */
  function look(met: Effect): void {
    for (let tries = 1; tries <= 3; tries += 1) {
      const seen = ask('read', 'slides')
      if (seen === 'refused') return
      if (seen === 'nothing' && met === 'kept') {
        made.stages.push('slides')
        has.slides = true
        return
      }
      if (seen === 'nothing' || seen === 'gone') break
    }
    loseDeck()
  }
}
