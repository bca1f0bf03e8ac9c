// The numbers of all advisory locks, in one place, so that no two features share one by accident.
// The numbers are arbitrary. They never change: replicas of two releases run side by side.

export const advisoryLocks = {
  /** Migrations. */
  migration: 7_260_137,
  /** Claims of runs. */
  queue: 7_260_138,
  /** Everything that adds a run, so that limits and quotas hold. */
  admission: 7_260_139,
  /** Uploads; with a second number for the user. */
  uploads: 7_260_140,
  /** Paid calls of the slide maker; with a second number for the user. */
  makerUses: 7_260_141,
  /** Claims of webhook deliveries. */
  deliveries: 7_260_142,
} as const
