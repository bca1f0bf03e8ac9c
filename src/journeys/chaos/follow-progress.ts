// A follower of one presentation over WebSockets, through kills and restarts of replicas: it must
// end in the true state, and progress must not fall within a run.

import { isDeepStrictEqual } from 'node:util'
import { keepConnected, type Message } from './keep-connected.ts'
import type { Random } from './random.ts'
import type { Report } from './report.ts'

export interface FollowProgressOptions {
  id: string
  token: string
  urls: () => string[]
  random: Random
  report: Report
  /** The last state, once no further command will be sent. */
  expected: () => FinalState | undefined
  /** When the last disruption was repaired, by `performance.now()`. */
  recoveredAtMs: () => number | undefined
  /** Whether the presentation is deleted, or will be at any moment. */
  isDeleted: () => boolean
}

export type FinalState = ReturnType<typeof toFinalState>

/** What a presentation and its `job_progress` message have in common. */
// biome-ignore lint/suspicious/noExplicitAny: a response or a message
export function toFinalState(source: any) {
  const { status, stage, progress, slides_done, n_slides, queue_position, error } = source
  return { status, stage, progress, slides_done, n_slides, queue_position, error }
}

/** Changes of slides outside of a run send no message: their number is then not compared. */
export const withoutSlideCounts = (state: FinalState): FinalState => ({
  ...state,
  n_slides: undefined,
  slides_done: undefined,
})

function isEnd(last: FinalState | undefined, wanted: FinalState | undefined): boolean {
  if (!last || !wanted) return last === wanted
  const hasCounts = wanted.n_slides !== undefined
  return isDeepStrictEqual(hasCounts ? last : withoutSlideCounts(last), wanted)
}

/** How long its last state may take once everything works again, reconnects included. */
const settleMs = 60_000
const terminal = ['completed', 'failed', 'cancelled']

export async function followProgress(options: FollowProgressOptions): Promise<void> {
  const { id, token, urls, random, report, expected, isDeleted, recoveredAtMs } = options
  let last: FinalState | undefined
  let isDeletionTold = false
  let wantedAtMs: number | undefined

  function isDone(): boolean {
    const wanted = expected()
    if (!wanted) return false
    if (isEnd(last, wanted)) return true
    wantedAtMs ??= performance.now()
    const fromMs = Math.max(wantedAtMs, recoveredAtMs() ?? Number.POSITIVE_INFINITY)
    return performance.now() >= fromMs + settleMs
  }

  function onMessage({ type, job_id: jobId, data }: Message) {
    report.count('WebSocket messages')
    if (jobId !== id) report.violate(id, `a follower received ${type} of ${jobId}`)
    if (type === 'job_deleted') isDeletionTold = true
    if (type !== 'job_progress') return
    const before = last
    last = toFinalState(data)
    const isSameRun = before && !terminal.includes(before.status)
    if (isSameRun && last.progress < before.progress)
      report.violate(id, `progress fell from ${before.progress} to ${last.progress} within a run`)
  }

  const end = await keepConnected({
    ...{ token, urls, random, report, isDone, onMessage },
    path: () => `/generation/${id}`,
    subject: id,
    // A run may have ended, and another one started, while there was no connection.
    onConnect: () => (last = undefined),
  })
  const isTrue = isEnd(last, expected())
  const isGone = end === 'gone' || isDeletionTold
  if (isGone && !isDeleted()) report.violate(id, 'a follower was told of a deletion')
  if (!isGone && !isTrue)
    report.violate(
      id,
      `a follower ended at ${JSON.stringify(last)}, not at ${JSON.stringify(expected())}`,
    )
  else report.count('WebSocket followers at the true end')
}
