// The edit that a run makes: what is asked, how far it is, and the deck before it. Written with the
// writes of its run, so it agrees with the run's events; a cancel marks it under the same lock.

import type { RunError } from '../domain/problem.ts'
import type { Queryable } from './connection.ts'
import { revisionOf } from './revisions.ts'
import type { ExtraStatement } from './run-write.ts'
import type { slideEdits } from './schema/slides.ts'

export type SlideEdit = Omit<typeof slideEdits.$inferSelect, 'presentationId' | 'useId'>

export interface NewSlideEdit {
  presentationId: string
  slideIndex: number
  instruction: string
  useId: string
}

/** Replaces what a release without edits may have left. */
export async function insertEdit(client: Queryable, edit: NewSlideEdit): Promise<void> {
  await client.query('delete from gateway.slide_edits where presentation_id = $1', [
    edit.presentationId,
  ])
  await client.query(
    `insert into gateway.slide_edits (presentation_id, slide_index, instruction, use_id)
     values ($1, $2, $3, $4)`,
    [edit.presentationId, edit.slideIndex, edit.instruction, edit.useId],
  )
}

export async function findEdit(
  database: Queryable,
  presentationId: string,
): Promise<SlideEdit | undefined> {
  const [row] = await database.query<SlideEdit>(
    `select slide_index as "slideIndex", instruction, phase, cancelled_at as "cancelledAt", error,
       was_refused as "wasRefused", conversation_id as "conversationId", before
     from gateway.slide_edits where presentation_id = $1`,
    [presentationId],
  )
  return row
}

/** The intent: from here on the call counts as sent, and is never made again. */
export function markEditSent(before: object, conversationId: string): ExtraStatement {
  return {
    text: `update gateway.slide_edits set phase = 'sent', before = $2, conversation_id = $3
      where presentation_id = $1`,
    values: [JSON.stringify(before), conversationId],
  }
}

/** Upstream has responded, or was not reached at all (`wasRefused`). */
export function markEditAnswered(error: RunError | null, { wasRefused = false } = {}) {
  return {
    text: `update gateway.slide_edits set phase = 'answered', error = $2, was_refused = $3
      where presentation_id = $1`,
    values: [error && JSON.stringify(error), wasRefused],
  } satisfies ExtraStatement
}

/**
 * Decides that the edit is kept: a cancel comes too late from here on. False when it was cancelled
 * before, or the lease is lost.
 */
export async function settleEdit(
  database: Queryable,
  { id, token }: { id: string; token: string },
): Promise<boolean> {
  const rows = await database.query(
    `update gateway.slide_edits e set phase = 'settled' from gateway.leases l
     where e.presentation_id = $1 and e.cancelled_at is null
       and l.presentation_id = $1 and l.token = $2 returning 1`,
    [id, token],
  )
  return rows.length > 0
}

/** The deck is as it should be, also if it is as it was before. */
export const markEditDone: ExtraStatement = {
  text: `update gateway.slide_edits set phase = 'done' where presentation_id = $1`,
  values: [],
}

/** What a cancel of an edit means now. */
export type EditCancel =
  /** Nothing is under way upstream: the run ends in this transaction. */
  | 'end'
  /** The worker restores the deck when upstream has finished, and ends the run. */
  | 'requested'
  /** The edit is being kept: it ends in a moment. */
  | 'too-late'

/** The caller has locked the lease row. */
export async function requestEditCancel(client: Queryable, id: string): Promise<EditCancel> {
  const [row] = await client.query<{ phase: SlideEdit['phase'] }>(
    `update gateway.slide_edits set cancelled_at = case
       when phase in ('sent', 'answered') then coalesce(cancelled_at, now()) else cancelled_at end
     where presentation_id = $1 returning phase`,
    [id],
  )
  if (row?.phase === 'settled') return 'too-late'
  return row?.phase === 'sent' || row?.phase === 'answered' ? 'requested' : 'end'
}

/**
 * Joins the end of an edit's run. Its quota is given back if upstream was never asked. If the run
 * has not read what upstream did, the deck counts as changed.
 */
export const endEdit: ExtraStatement = {
  text: `with ended as (
      delete from gateway.slide_edits where presentation_id = $1 returning use_id, phase, was_refused
    ), given_back as (
      delete from gateway.edit_uses u using ended e
      where u.id = e.use_id and (e.phase = 'waiting' or e.was_refused)
    ), unknown as (
      update gateway.decks d set slide_digests = null from gateway.presentations p, ended e
      where p.id = $1 and d.deck_id = p.presenton_presentation_id
        and e.phase in ('sent', 'answered', 'settled') and not e.was_refused
    )
    update gateway.presentations p set revision = ${revisionOf('p')} + 1 from ended e
    where p.id = $1 and e.phase in ('sent', 'answered', 'settled') and not e.was_refused`,
  values: [],
}

/** The digests of the slides of a deck as upstream returned them. */
export function recordSlideDigests(deckId: string, digests: string[]): ExtraStatement {
  return {
    text: `update gateway.decks set slide_digests = $3
      where presentation_id = $1 and deck_id = $2`,
    values: [deckId, digests],
  }
}
