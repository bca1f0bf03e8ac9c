// Cancels the run of a presentation. The run of an edit that upstream works on ends later: once
// upstream has finished and the deck is restored.

import { sleep } from '../async/signals.ts'
import type { EndRun } from '../database/end-run.ts'
import { type EncodedRunWrite, reportCommitted } from '../database/run-write.ts'
import { requestEditCancel } from '../database/slide-edits.ts'
import { Problem } from '../domain/problem.ts'
import {
  changeLocked,
  type OwnedPresentation,
  publishRevoked,
  type StartRunOptions,
} from './start-run.ts'
import type { PresentationRow } from './statements/queries.ts'
import { cancelRun } from './statements/transitions.ts'

export interface CancelOptions extends StartRunOptions {
  endRun: EndRun
}

const maxCancelWaitMs = 10_000
const cancelPollMs = 50

export function createCancel({ database, channels, endRun }: CancelOptions) {
  return async function cancel(own: OwnedPresentation): Promise<PresentationRow> {
    const deadlineMs = performance.now() + maxCancelWaitMs
    for (;;) {
      let isTooLate = false
      let written: EncodedRunWrite | undefined
      const row = await changeLocked(database, own, async (client, locked) => {
        if (locked.status === 'completed' || locked.status === 'failed') {
          throw new Problem('CONFLICT')
        }
        if (locked.status === 'cancelled') return
        const isEdit = locked.runKind === 'edit'
        const means = isEdit ? await requestEditCancel(client, own.id) : 'end'
        isTooLate = means === 'too-late'
        if (means === 'end') written = await cancelRun(client, locked, endRun)
      })
      if (written) reportCommitted(written)
      if (!isTooLate) {
        publishRevoked(channels, own.id)
        return row
      }
      // The edit is being kept: its run ends, or goes on to its export, in a moment.
      if (performance.now() > deadlineMs) throw new Problem('CONFLICT')
      await sleep(cancelPollMs)
    }
  }
}
