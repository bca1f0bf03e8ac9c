// Changes of the slides of a finished deck: the lock of a change under way, the edit of a run, and
// the quota of edits. No slide is stored here but the checkpoint of an edit.

import { sql } from 'drizzle-orm'
import { boolean, index, integer, json, text, uuid } from 'drizzle-orm/pg-core'
import type { RunError } from '../../domain/problem.ts'
import { gateway, time } from './gateway.ts'

/** The lock of a deck: one change at a time over all replicas. It expires with its holder. */
export const deckChanges = gateway.table('deck_changes', {
  presentationId: uuid('presentation_id').primaryKey(),
  token: uuid('token').notNull(),
  expiresAt: time('expires_at').notNull(),
  /** Upstream may have been asked to write. If the holder is lost, the deck may have changed. */
  hasIntent: boolean('has_intent').notNull().default(false),
})

/**
 * A turn of the chat, which may change anything of its deck: no run and no change of the API starts
 * during it. It expires with its holder.
 */
export const chatTurns = gateway.table('chat_turns', {
  presentationId: uuid('presentation_id').primaryKey(),
  token: uuid('token').notNull(),
  /** Its row in `edit_uses`. */
  useId: uuid('use_id').notNull(),
  expiresAt: time('expires_at').notNull(),
})

/**
 * `waiting`: upstream was not asked. `sent`: it may have been asked, and is never asked again.
 * `answered`: it has responded. `settled`: the edit is kept, and a cancel comes too late. `done`:
 * the deck is as it should be.
 */
export const editPhases = ['waiting', 'sent', 'answered', 'settled', 'done'] as const

/** The edit that the latest run makes, until that run ends. */
export const slideEdits = gateway.table('slide_edits', {
  presentationId: uuid('presentation_id').primaryKey(),
  slideIndex: integer('slide_index').notNull(),
  instruction: text('instruction').notNull(),
  /** Its row in `edit_uses`. */
  useId: uuid('use_id').notNull(),
  phase: text('phase', { enum: editPhases }).notNull().default('waiting'),
  /** The owner has cancelled an edit that upstream works on. */
  cancelledAt: time('cancelled_at'),
  /** Upstream's failure, if it responded with one. */
  error: json('error').$type<RunError>(),
  /** Upstream was not reached. */
  wasRefused: boolean('was_refused').notNull().default(false),
  conversationId: uuid('conversation_id'),
  /** The deck before the call, as upstream returned it. */
  before: json('before').$type<Record<string, unknown>>(),
})

/** The ledger of edits, one row for each that counts. */
export const editUses = gateway.table(
  'edit_uses',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    usedAt: time('used_at').notNull().default(sql`now()`),
  },
  (table) => [
    index('edit_uses_of_user').on(table.userId, table.usedAt),
    index('edit_uses_used').on(table.usedAt),
  ],
)
