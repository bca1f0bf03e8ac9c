// What a run does after its last checkpoint. `nextStage` in database/durations.ts says the same.

import type { Stage } from '../contract/stages.ts'
import type { Run } from '../database/leases.ts'

/** `review`: the outlines wait for approval. `complete`: nothing is left to do. */
export function nextStage(run: Run): Stage | 'review' | 'complete' {
  if (!run.editFinished) return 'edit'
  if (!run.makesFile) return 'complete'
  if (run.runKind !== 'deck') return run.exportPath === null ? 'export' : 'store'
  if (run.deckId === null) return 'create'
  if (run.outlines === null) return 'outlines'
  if (run.reviewOutlines && !run.outlinesApproved) return 'review'
  if (!run.deckPrepared) return 'prepare'
  if (!run.slidesFinished) return 'slides'
  return run.exportPath === null ? 'export' : 'store'
}
