// States of a run that several places set.

import type { Checkpoint } from './context.ts'

/** What a checkpoint clears when the run has to make its deck again. */
export const withoutDeck = {
  deckId: null,
  deckPrepared: false,
  deckStreamed: false,
  slidesFinished: false,
  exportPath: null,
} as const satisfies Checkpoint
