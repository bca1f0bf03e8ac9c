// States of a run that several places set.

import type { Run } from '../database/leases.ts'
import type { Checkpoint } from './context.ts'

/** The run makes slides, not just a file or a change. */
export const makesSlides = ({ runKind }: Pick<Run, 'runKind'>): boolean =>
  runKind === 'deck' || runKind === 'regenerate'

/** The present deck stays the presentation's until the slides of the fresh one are whole. */
const hasFreshDeck = ({ runKind, slidesFinished }: Pick<Run, 'runKind' | 'slidesFinished'>) =>
  runKind === 'regenerate' && !slidesFinished

/** The deck that the run works on. */
export const workingDeckOf = (run: Run): string | null =>
  hasFreshDeck(run) ? run.freshDeckId : run.deckId

/** What a checkpoint changes when the run makes its deck again; `deckId` is the new one. */
export function withNewDeck(run: Run, deckId: string | null): Checkpoint {
  const undone = { deckPrepared: false, deckStreamed: false, slidesFinished: false }
  const changes: Checkpoint = { ...undone, exportPath: null }
  if (hasFreshDeck(run)) changes.freshDeckId = deckId
  else changes.deckId = deckId
  return changes
}

/** What changes when the slides of a fresh deck are whole: it is now the presentation's. */
export function withFreshDeck(run: Run, slideCount: number): Checkpoint & { slidesBefore?: null } {
  if (!hasFreshDeck(run)) return {}
  return {
    deckId: run.freshDeckId,
    freshDeckId: null,
    slidesBefore: null,
    nSlides: slideCount,
    revision: (run.revision ?? 1) + 1,
  }
}
