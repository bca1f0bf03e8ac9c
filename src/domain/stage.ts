// The stages of a run, in order, and what each may cost: how often it may be tried, and its share
// of the progress bar.

export const stages = ['create', 'outlines', 'prepare', 'slides', 'export', 'store'] as const
export type Stage = (typeof stages)[number]

/** How many attempts may fail before the run ends (spec section 7). */
export const maxAttempts: Record<Stage, number> = {
  create: 3,
  outlines: 2,
  prepare: 3,
  slides: 2,
  export: 5,
  store: 10,
}

/** The stages in which a model works, and somebody pays for it. */
export const paidStages: ReadonlySet<Stage> = new Set<Stage>(['outlines', 'prepare', 'slides'])

/** Streams of slides that one run may open in all, takeovers included: each is paid for. */
export const maxSlideStreams = 3

/** Takeovers after a crash that a run survives; the next one ends it. */
export const maxTakeovers = 5

/**
 * Progress at the start of each stage. Slides are most of the work, so they get most of the bar.
 */
const progressAtStart: Record<Stage, number> = {
  create: 0,
  outlines: 0.02,
  prepare: 0.2,
  slides: 0.3,
  export: 0.85,
  store: 0.95,
}

/**
 * The progress (0..1) of a run in `stage`, with `done` of `total` slides. A run of a further export
 * has only two stages.
 */
export function progressOf(
  stage: Stage,
  slides: { done: number; total: number } = { done: 0, total: 1 },
): number {
  const base = progressAtStart[stage]
  if (stage !== 'slides') return base
  const share = Math.min(1, slides.done / Math.max(1, slides.total))
  return Math.round((base + share * (progressAtStart.export - base)) * 1000) / 1000
}
