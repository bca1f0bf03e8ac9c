// What each stage of a run may cost: how often it may be tried, and its share of the progress bar.

import type { Stage } from '../contract/stages.ts'

/** How many attempts may fail before the run ends. */
export const maxAttempts: Record<Stage, number> = {
  create: 3,
  outlines: 2,
  prepare: 3,
  slides: 2,
  // The call is never repeated.
  edit: 1,
  export: 5,
  store: 10,
}

/** The stages in which a model works, which costs money. */
export const paidStages: ReadonlySet<Stage> = new Set<Stage>([
  'outlines',
  'prepare',
  'slides',
  'edit',
])

/** Slide streams that one run may open, takeovers included: each costs money. */
export const maxSlideStreams = 3

/** How long a stage may wait for limits of the model before they burn attempts. */
export const maxLimitWaitMs = 600_000

/** After this time of waiting in a row a run gives its slot to others that could use it. */
export const maxSlotWaitMs = 60_000

/** Takeovers after a crash that a run survives; the next one ends it. */
export const maxTakeovers = 5

/** Progress at the start of each stage. Slides are most of the work. */
const progressAtStart: Record<Stage, number> = {
  create: 0,
  outlines: 0.02,
  prepare: 0.2,
  slides: 0.3,
  edit: 0.1,
  export: 0.85,
  store: 0.95,
}

/** The progress (0..1) of a run in `stage`, with `done` of `total` slides. */
export function progressOf(
  stage: Stage,
  slides: { done: number; total: number } = { done: 0, total: 1 },
): number {
  const base = progressAtStart[stage]
  if (stage !== 'slides') return base
  const share = Math.min(1, slides.done / Math.max(1, slides.total))
  return Math.round((base + share * (progressAtStart.export - base)) * 1000) / 1000
}
