// The stages of a run, in their order.

export const stages = [
  'create',
  'outlines',
  'prepare',
  'slides',
  'edit',
  'export',
  'store',
] as const
export type Stage = (typeof stages)[number]
