// Inserts presentations that are finished from the start. Raw SQL: one statement makes the row, its
// lease, its deck, its reservation and its images.

import type { Status } from '../../contract/presentation.ts'
import type { Queryable } from '../../database/connection.ts'
import type { presentations, RunBrief } from '../../database/schema/presentations.ts'

type Row = typeof presentations.$inferSelect

/** What a finished presentation has of the one that it was copied from. */
export interface FinishedBase
  extends Pick<Row, 'title' | 'template' | 'language' | 'exportAs' | 'outlines'> {
  brief: RunBrief
  /** The presentation whose sources it shows; null for none. */
  copyOf: string | null
}

export interface NewFinished {
  id: string
  userId: string
  base: FinishedBase
  deckId: string
  /** The account in Presenton that owns it; null for the shared one. */
  account: string | null
  slideCount: number
  /** The deck for the `complete` events of later runs. */
  shown: Record<string, unknown>
  /** Paths of the images that its slides name. */
  images: string[]
}

/** Undefined when the user has no such presentation. */
export async function findFinishedBase(
  database: Queryable,
  { userId, id }: { userId: string; id: string },
): Promise<
  (FinishedBase & { status: Status; deckId: string | null; slidesDone: number }) | undefined
> {
  const [row] = await database.query<
    FinishedBase & { status: Status; deckId: string | null; slidesDone: number }
  >(
    `select status, presenton_presentation_id as "deckId", slides_done as "slidesDone", title,
       template, language, export_as as "exportAs", outlines, brief, id as "copyOf"
     from gateway.presentations where id = $1 and user_id = $2`,
    [id, userId],
  )
  return row
}

/** The caller holds the admission lock. Its reservation counts in the totals only. */
export async function insertFinished(
  client: Queryable,
  { id, userId, base, deckId, account, slideCount, shown, images }: NewFinished,
): Promise<void> {
  const { title, template, language, exportAs, outlines, brief, copyOf } = base
  await client.query(
    `with added as (
       insert into gateway.presentations (id, user_id, title, status, run, run_format, makes_file,
         template, language, n_slides, slides_done, export_as, outlines, outlines_approved, brief,
         origin, presenton_presentation_id, account, deck_prepared, deck_streamed, slides_finished,
         revision, progress, turn, queued_at, completed_at)
       values ($1, $2, $3, 'completed', 0, $6, false, $4, $5, $7, $7, $6, $8, true, $9,
         'maker', $10, $14, true, true, true, 1, 1, 0, now(), now())
     ), lease as (
       insert into gateway.leases (presentation_id, last_seq) values ($1, 0)
     ), made as (
       insert into gateway.decks (deck_id, presentation_id, finished, account)
       values ($10, $1, $11, $14)
     ), reserved as (
       insert into gateway.ledger (presentation_id, user_id, accepted_at, slides, accepted)
       values ($1, $2, now(), $7, false)
     ), named as (
       insert into gateway.presentation_sources (presentation_id, position, source_id, name)
       select $1, position, source_id, name from gateway.presentation_sources
       where presentation_id = $12
     )
     insert into gateway.assets (user_id, path, presentation_id)
     select $2, path, $1 from unnest($13::text[]) as path on conflict do nothing`,
    [
      ...[id, userId, title, template, language, exportAs, slideCount],
      ...[outlines && JSON.stringify(outlines), JSON.stringify(brief)],
      ...[deckId, JSON.stringify(shown), copyOf, images, account],
    ],
  )
}
