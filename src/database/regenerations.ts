// The end of a run that was to replace a deck. Unless its slides were whole, the deck stays as it
// was, and what the run has reserved is given back as far as nothing was paid for.

import type { ExtraStatement } from './run-write.ts'

/** A failed run counts if it made a slide, a cancelled one if a paid stage was started. */
const countedIf = { failed: 'slid', cancelled: 'paid', completed: 'true' }

/** Joins the end of a regeneration. A worker that lost its lease may still use the fresh deck. */
export function endRegeneration(outcome: keyof typeof countedIf): ExtraStatement {
  return {
    text: `with ended as (
        select id, fresh_deck_id, slides_before, reservation_id from gateway.presentations
        where id = $1
      ), settled as (
        update gateway.ledger l set
          accepted = l.accepted and (l.presentation_id = e.id or ${countedIf[outcome]}),
          slides = case when l.presentation_id = e.id then coalesce(e.slides_before, l.slides)
            else l.slides end
        from ended e where l.presentation_id in (e.id, e.reservation_id)
      ), unused as (
        update gateway.decks d set remove_after = now() + interval '1 hour' from ended e
        where d.deck_id = e.fresh_deck_id
      )
      update gateway.presentations set fresh_deck_id = null,
        slides_done = coalesce(slides_before, slides_done), slides_before = null,
        deck_prepared = true, deck_streamed = true, slides_finished = true
      where id = $1`,
    values: [],
  }
}
