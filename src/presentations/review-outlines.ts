// The review of outlines: reading them, keeping changes, and the approval that continues the run.

import { minSlidesWithContents } from '../contract/brief.ts'
import type { OutlinesResponse } from '../contract/presentation.ts'
import { checkNoTurn } from '../database/chat-turns.ts'
import type { Queryable } from '../database/connection.ts'
import { reserveSlides } from '../database/ledger.ts'
import type { Quotas } from '../database/quota-usage.ts'
import { Problem } from '../domain/problem.ts'
import { checkTemplate } from './check-template.ts'
import { type OwnedPresentation, publishQueued, type StartRunOptions } from './start-run.ts'
import { lockAdmission } from './statements/insert.ts'
import { findOutlines, type PresentationRow, readPresentation } from './statements/queries.ts'
import {
  approveOutlines,
  keepOutlines,
  type LockedPresentation,
  lockPresentation,
} from './statements/transitions.ts'

export interface ReviewOutlinesOptions extends StartRunOptions {
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: (userId: string) => ReadonlySet<string> | undefined
}

/** What an approval may replace. */
export interface Approval {
  outlines?: string[] | undefined
  title?: string | undefined
  template?: string | undefined
}

export function createReviewOutlines(options: ReviewOutlinesOptions) {
  const { database, channels, quotas, knownTemplates } = options

  /** Locks a presentation that awaits approval, and reserves as many slides as it would have. */
  async function lockForReview(
    client: Queryable,
    own: OwnedPresentation,
    countSlides: (locked: LockedPresentation) => number,
  ): Promise<LockedPresentation> {
    await client.query(lockAdmission)
    const locked = await lockPresentation(client, own)
    if (locked.status !== 'awaiting_outlines') throw new Problem('CONFLICT')
    await checkNoTurn(client, own.id)
    const slides = countSlides(locked)
    checkContents(locked, slides)
    await reserveSlides(client, { userId: own.userId, presentationId: own.id, slides }, quotas)
    return locked
  }

  return {
    /** @throws Problem NOT_FOUND, NOT_READY (not written yet) */
    async readOutlines(own: OwnedPresentation): Promise<OutlinesResponse> {
      const found = await findOutlines(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      const { outlines, title } = found
      if (!outlines) throw new Problem('NOT_READY')
      return { outlines, title }
    },

    /**
     * Approves the outlines, or replaces them. A full queue never refuses this.
     *
     * @throws Problem NOT_FOUND, CONFLICT (not awaiting approval), VALIDATION_FAILED,
     * QUOTA_EXHAUSTED
     */
    async approveOutlines(own: OwnedPresentation, given: Approval): Promise<PresentationRow> {
      const row = await database.transaction(async (client) => {
        // Unchanged outlines may be fewer than the slides: the model adds a table of contents.
        const nSlidesOf = (row: LockedPresentation) => given.outlines?.length ?? row.nSlides
        const locked = await lockForReview(client, own, nSlidesOf)
        const { outlines = locked.outlines ?? [], title = locked.title } = given
        const { template } = given
        if (template !== undefined) checkTemplate(template, knownTemplates(own.userId))
        await approveOutlines(client, locked, {
          outlines,
          title,
          template,
          nSlides: nSlidesOf(locked),
        })
        return readPresentation(client, own.id)
      })
      publishQueued(channels, own.id)
      return row
    },

    /**
     * Keeps outlines without approving them.
     *
     * @throws Problem NOT_FOUND, CONFLICT (not awaiting approval), VALIDATION_FAILED,
     * QUOTA_EXHAUSTED
     */
    saveOutlines: (own: OwnedPresentation, outlines: string[]): Promise<PresentationRow> =>
      database.transaction(async (client) => {
        const locked = await lockForReview(client, own, () => outlines.length)
        await keepOutlines(client, locked, outlines)
        return readPresentation(client, own.id)
      }),

    /** The outlines were approved, or needed no approval. @throws Problem NOT_FOUND */
    async isApproved(own: OwnedPresentation): Promise<boolean> {
      const found = await findOutlines(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      return found.outlines !== null && found.isApproved
    },
  }
}

/** @throws Problem VALIDATION_FAILED */
function checkContents({ includeTableOfContents }: LockedPresentation, nSlides: number): void {
  if (!includeTableOfContents || nSlides >= minSlidesWithContents) return
  const message = `must be at least ${minSlidesWithContents} with a table of contents`
  throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/outlines', message }] })
}
