// Presentations and their queue. The presentation row is the job: its status, its checkpoints and
// its position in the queue cannot disagree.
import { sql } from 'drizzle-orm'
import {
  bigint,
  boolean,
  check,
  doublePrecision,
  index,
  integer,
  json,
  jsonb,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'
import { exportFormats, origins, statuses } from '../../contract/presentation.ts'
import { type Stage, stages } from '../../contract/stages.ts'
import type { RunError } from '../../domain/problem.ts'
import { gateway, time } from './gateway.ts'

/**
 * What a run makes: a whole deck, a further file of a finished deck, a change of one slide, or the
 * slides of a finished deck again.
 */
export const runKinds = ['deck', 'export', 'edit', 'regenerate'] as const
export type RunKind = (typeof runKinds)[number]

/** The members of a brief that only the worker reads. */
export interface RunBrief {
  content: string
  tone: string
  verbosity: string
  instructions: string | null
  includeTitleSlide: boolean
  includeTableOfContents: boolean
  webSearch: boolean
  /** The caller named no template. Missing in rows of release 0.1. */
  usesDefaultTemplate?: boolean
}

/** A number for each stage that was reached. */
type StageCounts = Partial<Record<Stage, number>>

/** Times of the stages of a run, in ms of the worker's clock. */
export interface StageClock {
  /** Of the stages before the current one. */
  ms?: StageCounts
  /** When the current stage was entered; absent while no stage is under way. */
  since?: number
}

export const presentations = gateway.table(
  'presentations',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    /** The deck in Presenton that the latest run works on. */
    deckId: text('presenton_presentation_id'),
    /** The deck of a regeneration, until its slides are whole: then it replaces the deck. */
    freshDeckId: text('fresh_deck_id'),
    /** `slides_done` of the deck that a regeneration has not replaced yet. */
    slidesBefore: integer('slides_before'),
    /** What the latest regeneration has reserved in the ledger, beside the presentation's row. */
    reservationId: uuid('reservation_id'),
    /** The account in Presenton that owns the deck; null for the shared one. */
    account: text('account'),
    /** Where Presenton has the exported file. */
    exportPath: text('presenton_path'),
    objectKey: text('minio_object_key'),
    origin: text('origin', { enum: origins }).notNull().default('api'),
    title: text('title'),
    status: text('status', { enum: statuses }).notNull(),
    stage: text('stage', { enum: stages }),
    /** Number of the latest run, from 1. */
    run: integer('run').notNull().default(1),
    runKind: text('run_kind', { enum: runKinds }).notNull().default('deck'),
    /** The format of the file that the latest run makes. */
    runFormat: text('run_format', { enum: exportFormats }).notNull(),
    /** The latest run makes a file; an edit need not. */
    makesFile: boolean('makes_file').notNull().default(true),
    /** False while the latest run has a slide to edit. */
    editFinished: boolean('edit_finished').notNull().default(true),
    /** Starts of the current stage in the latest run. */
    attempt: integer('attempt').notNull().default(0),
    /** From 0 to 1. */
    progress: doublePrecision('progress').notNull().default(0),
    template: text('template').notNull(),
    language: text('language').notNull(),
    nSlides: integer('n_slides').notNull(),
    slidesDone: integer('slides_done').notNull().default(0),
    exportAs: text('export_as', { enum: exportFormats }).notNull(),
    reviewOutlines: boolean('review_outlines').notNull().default(false),
    metadata: jsonb('metadata').$type<Record<string, string>>().notNull().default({}),
    /** `json`, not `jsonb`: text of a model may hold escaped NULs, which jsonb refuses. */
    brief: json('brief').$type<RunBrief>().notNull(),
    /** Equal for equal briefs (see brief-digest.ts). Null in rows of releases without it. */
    briefDigest: text('brief_digest'),
    outlines: json('outlines').$type<string[]>(),
    /** The current outlines were approved, or need no approval. */
    outlinesApproved: boolean('outlines_approved').notNull().default(false),
    /** Why the latest run ended without success. */
    error: json('error').$type<RunError>(),
    /** First key of the queue's order (see queue.ts). */
    turn: bigint('turn', { mode: 'number' }).notNull(),
    queuedAt: time('queued_at').notNull(),
    /** First claim of the latest run, or of its part after a review. */
    runStartedAt: time('run_started_at'),
    /** Time the latest run used before its review; its clock stops while the review lasts. */
    runUsedMs: bigint('run_used_ms', { mode: 'number' }).notNull().default(0),
    /** Set while a run that gave up its slot is queued: it is not claimed before this time. */
    resumeAfter: time('resume_after'),
    /** How long each stage of the latest run has waited for limits of the model, in ms. */
    limitWaitsMs: jsonb('limit_waits_ms').$type<StageCounts>().notNull().default({}),
    /** Starts of each stage in the latest run. */
    starts: jsonb('starts').$type<StageCounts>().notNull().default({}),
    /** Failed attempts of each stage in the latest run. */
    failures: jsonb('failures').$type<StageCounts>().notNull().default({}),
    slideStreams: integer('slide_streams').notNull().default(0),
    takeovers: integer('takeovers').notNull().default(0),
    /**
     * A stream of slides was opened for the current deck. A second attempt then first checks what
     * upstream already has, because each stream costs money.
     */
    deckStreamed: boolean('deck_streamed').notNull().default(false),
    deckPrepared: boolean('deck_prepared').notNull().default(false),
    slidesFinished: boolean('slides_finished').notNull().default(false),
    reviewExpiresAt: time('review_expires_at'),
    /** The owner was told that this review expires soon. */
    reviewWarned: boolean('review_warned').notNull().default(false),
    /** How long the stages of the latest run took. Empty in rows of releases without it. */
    stageClock: jsonb('stage_clock').$type<StageClock>().notNull().default({}),
    uploads: integer('uploads').notNull().default(0),
    /** The `traceparent` of the request that queued the latest run; null without traces. */
    requestTrace: text('request_trace'),
    /** The `traceparent` of the latest run, with which a takeover continues its trace. */
    runTrace: text('run_trace'),
    /**
     * Counts the changes of the finished deck, from 1. Null before the first completion, and in
     * rows that releases without it have completed: those count as 1 (see `revisionOf`).
     */
    revision: integer('revision'),
    /** The revision when the latest export began. */
    exportRevision: integer('export_revision'),
    /** Times of further exports in the last hour. */
    exportTimes: timestamp('export_times', { withTimezone: true, precision: 3 })
      .array()
      .notNull()
      .default([]),
    createdAt: time('created_at').notNull().defaultNow(),
    updatedAt: time('updated_at').notNull().defaultNow(),
    startedAt: time('started_at'),
    completedAt: time('completed_at'),
    /** End of the latest run; null again once its log is pruned. */
    endedAt: time('ended_at'),
  },
  (table) => [
    check(
      'presentations_status',
      sql`${table.status} in (${sql.raw(statuses.map((status) => `'${status}'`).join(', '))})`,
    ),
    index('presentations_of_user').on(table.userId, table.createdAt, table.id),
    index('presentations_of_user_by_status').on(
      table.userId,
      table.status,
      table.createdAt,
      table.id,
    ),
    // What can be claimed: the queue, and further exports, which show as running while they wait.
    index('presentations_waiting')
      .on(table.turn, table.queuedAt, table.id)
      .where(sql`${table.status} in ('queued', 'running') and ${table.runStartedAt} is null`),
    index('presentations_running').on(table.userId).where(sql`${table.status} = 'running'`),
    index('presentations_turns')
      .on(table.userId, table.turn)
      .where(sql`${table.status} in ('queued', 'running')`),
    index('presentations_in_review')
      .on(table.reviewExpiresAt)
      .where(sql`${table.status} = 'awaiting_outlines'`),
    index('presentations_ended').on(table.endedAt).where(sql`${table.endedAt} is not null`),
    // Small enough to be read whole for a count, unlike the table.
    index('presentations_at_rest')
      .on(table.status)
      .where(sql`${table.status} in ('completed', 'failed', 'cancelled')`),
  ],
)

/** One row: the turn that was claimed last. A run that joins the queue gets a later one. */
export const queueClock = gateway.table('queue_clock', {
  id: integer('id').primaryKey(),
  turn: bigint('turn', { mode: 'number' }).notNull().default(0),
})
