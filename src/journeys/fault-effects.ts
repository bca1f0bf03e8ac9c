// The promised effect of each fault of the stand-in on one call to upstream, as a table of its own:
// a test must not derive it from the code of the gateway.

import type { FaultName, Shape } from '../sandbox/presenton/stand-in.ts'
import { hasLogin } from './upstream-options.ts'

export type Stage = 'create' | 'outlines' | 'prepare' | 'slides' | 'export' | 'store'

/** The upstream operations of a run, and the stage of each. `read` follows failed slides. */
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

/** The effect of a fault on the run. */
export type Effect =
  /** The run continues without a retry. */
  | 'none'
  /** The run waits and repeats the call; this costs no attempt. */
  | 'outage'
  /** The model is at its limit: the run waits, then the stage starts again without an attempt. */
  | 'limit'
  /** The attempt fails and the stage starts again. */
  | 'failure'
  /** Like a failure, after a deadline or a stall. */
  | 'timeout'
  /** Like a failure, but upstream has saved all slides. */
  | 'slides saved'
  /** The deck no longer exists: the run starts again at create, with the saved outlines. */
  | 'deck gone'
  /** The file is invalid: the run exports again. */
  | 'bad file'
  /** The export returns a path outside the export folder, which `store` refuses to fetch. */
  | 'bad path'
  /** The run fails immediately. */
  | 'rejected'

const outages = ['502', '503', '504']
const limits = ['429', '429-page', 'error-429', 'model-429']
const failedResponses = ['500', '500-detail', '408', 'redirect', 'reset']
const lostReplies = ['reply-lost', 'reply-half', 'reply-huge']
const failures = [...failedResponses, ...lostReplies]
const rejections = ['400', '403', '404-route', '405', '413', '422']
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

/** Whether the fault ends only when a deadline passes. */
export const isSlow = (name: FaultName) =>
  /:(hang|stall|stall-at-once|stall-half-way|stall-before-complete|announced-huge)$/.test(name)

/** Undefined for faults of operations outside a run, such as sign-in. */
export function operationOf(name: FaultName): Operation | undefined {
  const operation = name.split(':')[0] as string
  return operation in stageOf ? (operation as Operation) : undefined
}

/** @throws Error when the table has no entry for the fault */
export function effectOf(name: FaultName, shape: Shape): Effect {
  const operation = operationOf(name) as Operation
  const kind = name.slice(operation.length + 1)
  if (outages.includes(kind)) return 'outage'
  if (limits.includes(kind)) return 'limit'
  // Without an account no credentials are accepted, which is waited for.
  if (kind === '428') return 'outage'
  if (kind === '401') return effectOfRefusal(operation, shape)
  if (operation === 'file') return effectOnFile(kind)
  if (failures.includes(kind)) return 'failure'
  if (kind === 'hang') return 'timeout'
  if (kind === '404') return operation === 'create' ? 'rejected' : 'deck gone'
  // In prepare, upstream forwards most statuses of its model.
  if (operation === 'prepare' && rejections.includes(kind))
    return kind === '422' ? 'rejected' : 'failure'
  if (rejections.includes(kind)) return 'rejected'
  // The gateway needs nothing from the replies to prepare and update.
  if (unreadable.includes(kind))
    return operation === 'prepare' || operation === 'update' ? 'none' : 'failure'
  if (operation === 'outlines' || operation === 'slides')
    return effectOnStream(operation, kind, shape)
  // Also a 503 of B1 and B2 for an unreachable model, since its JSON says that upstream itself is
  // up, and a 404 for a template that upstream lists.
  if (operation === 'prepare') return 'failure'
  if (operation === 'export')
    return kind.startsWith('path-') && !/-(number|missing)$/.test(kind) ? 'bad path' : 'failure'
  throw new Error(`No expected effect for the fault ${name}.`)
}

function effectOfRefusal(operation: Operation, shape: Shape): Effect {
  // With a login the gateway signs in again and repeats the call.
  if (hasLogin(shape)) return 'none'
  // Refused credentials are waited for. But where upstream says that our key is good, the 401 is
  // one of the model, or concerns this file alone.
  if (shape === 'A1' || (operation !== 'prepare' && operation !== 'file')) return 'outage'
  return operation === 'prepare' ? 'failure' : 'rejected'
}

function effectOnFile(kind: string): Effect {
  if (failures.includes(kind) && kind !== 'redirect') return 'failure'
  if (['hang', 'stall', 'announced-huge'].includes(kind)) return 'timeout'
  if (kind === '403') return 'rejected'
  return kind === 'no-length' ? 'none' : 'bad file'
}

function effectOnStream(operation: 'outlines' | 'slides', kind: string, shape: Shape): Effect {
  if (
    brokenStreams.includes(kind) ||
    (kind.startsWith('error-') && kind !== 'error-after-complete')
  )
    return 'failure'
  if (stalls.includes(kind)) return 'timeout'
  if (afterSaving.includes(kind)) return operation === 'slides' ? 'slides saved' : 'failure'
  if (kind === 'complete-short') return operation === 'slides' ? 'slides saved' : 'none'
  // B1 and B2 send `error` when the model writes too few or too many outlines.
  if (kind === 'few' || kind === 'many')
    return shape === 'B1' || shape === 'B2' ? 'failure' : 'none'
  return 'none'
}

/** Whether upstream had started the paid work before the fault occurred. */
export function hasStartedWork(name: FaultName): boolean {
  const kind = name.split(':')[1] as string
  const isStatus = [
    ...outages,
    ...failedResponses,
    ...rejections,
    ...limits.slice(0, 2),
    ...['401', '404', '428', 'hang'],
  ].includes(kind)
  return !isStatus && !/^(model-|index-error|template-missing|convert-|runtime-)/.test(kind)
}
