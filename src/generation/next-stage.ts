// What a run does after its last checkpoint. `nextStage` in database/durations.ts says the same.

import type { Stage } from '../contract/stages.ts'
import type { Run } from '../database/leases.ts'
import { makesSlides, workingDeckOf } from './run-state.ts'

/** `review`: the outlines wait for approval. `complete`: nothing is left to do. */
export function nextStage(run: Run): Stage | 'review' | 'complete' {
  if (!run.editFinished) return 'edit'
  if (!run.makesFile) return 'complete'
  if (!makesSlides(run)) return run.exportPath === null ? 'export' : 'store'
  if (workingDeckOf(run) === null) return 'create'
  if (run.outlines === null) return 'outlines'
  if (run.reviewOutlines && !run.outlinesApproved) return 'review'
  if (!run.deckPrepared) return 'prepare'
  if (!run.slidesFinished) return 'slides'
  return run.exportPath === null ? 'export' : 'store'
}
