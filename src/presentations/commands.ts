// The commands of a presentation after it was accepted: which is allowed in which state, what it
// costs, and who is notified. The table of states and operations in docs/api.md says the same.

import type { Queryable } from '../database/connection.ts'
import { type CancelOptions, createCancel } from './cancel.ts'
import { createFurtherRuns, type FurtherRunsOptions } from './further-runs.ts'
import { createReviewOutlines, type ReviewOutlinesOptions } from './review-outlines.ts'
import { changeLocked, type OwnedPresentation, publishRevoked } from './start-run.ts'
import { deletePresentation } from './statements/delete.ts'
import type { PresentationRow } from './statements/queries.ts'
import { lockPresentation, renamePresentation } from './statements/transitions.ts'

export interface PresentationCommandsOptions
  extends CancelOptions,
    FurtherRunsOptions,
    ReviewOutlinesOptions {
  /** Joins the transaction of a deletion; what it returns is called after the commit. */
  reportRemoval: (client: Queryable, own: OwnedPresentation) => Promise<() => void>
}

export type PresentationCommands = ReturnType<typeof createPresentationCommands>

export function createPresentationCommands(options: PresentationCommandsOptions) {
  const { database, channels, reportRemoval } = options

  return {
    /**
     * Ends the run in this transaction. A cancelled presentation stays as it is.
     *
     * @throws Problem NOT_FOUND, CONFLICT (completed or failed)
     */
    cancel: createCancel(options),

    ...createFurtherRuns(options),
    ...createReviewOutlines(options),

    /** Also changes the file name of downloads. @throws Problem NOT_FOUND */
    rename: (own: OwnedPresentation, title: string): Promise<PresentationRow> =>
      changeLocked(database, own, (client, locked) => renamePresentation(client, locked, title)),

    /** Deletes the row at once; objects and upstream decks follow. @throws Problem NOT_FOUND */
    async remove(own: OwnedPresentation): Promise<void> {
      const onCommitted = await database.transaction(async (client) => {
        const locked = await lockPresentation(client, own)
        const report = await reportRemoval(client, own)
        await deletePresentation(client, locked)
        return report
      })
      publishRevoked(channels, own.id)
      onCommitted()
    },
  }
}
