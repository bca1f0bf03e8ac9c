// What the statuses of a presentation mean for its subscribers.

import type { Status } from '../contract/presentation.ts'

/** The latest run has ended: nothing changes without a new command. */
export function isFinished(status: Status): boolean {
  return status === 'completed' || status === 'failed' || status === 'cancelled'
}

/** No worker has or will take it: it is finished, or waits for its outlines to be approved. */
export function isSettled(status: Status): boolean {
  return status !== 'queued' && status !== 'running'
}
