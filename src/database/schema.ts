// The tables of schema `gateway`. The presentation row is the job; its lease row is its lock and
// its event counter. drizzle-kit writes the migrations in drizzle/ from this file (`npm run
// db:generate`).
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
  pgSchema,
  primaryKey,
  text,
  timestamp,
  uuid,
} from 'drizzle-orm/pg-core'

export const gateway = pgSchema('gateway')

// Milliseconds, so that a time read into JavaScript and sent back is the same time (the list's
// cursor depends on it).
const time = (name: string) => timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })

export const presentations = gateway.table(
  'presentations',
  {
    id: uuid('id').primaryKey(),
    userId: text('user_id').notNull(),
    presentonPresentationId: text('presenton_presentation_id'),
    presentonPath: text('presenton_path'),
    minioObjectKey: text('minio_object_key'),
    title: text('title'),
    status: text('status').notNull(),
    stage: text('stage'),
    /** Number of the latest run, from 1. */
    run: integer('run').notNull().default(1),
    /** What the latest run makes: a whole deck, or only a further file of a finished one. */
    runKind: text('run_kind').notNull().default('deck'),
    runFormat: text('run_format').notNull(),
    attempt: integer('attempt').notNull().default(0),
    progress: doublePrecision('progress').notNull().default(0),
    template: text('template').notNull(),
    language: text('language').notNull(),
    nSlides: integer('n_slides').notNull(),
    slidesDone: integer('slides_done').notNull().default(0),
    exportAs: text('export_as').notNull(),
    reviewOutlines: boolean('review_outlines').notNull().default(false),
    metadata: jsonb('metadata').notNull().default({}),
    /**
     * What only the worker reads of the brief. `json`, not `jsonb`: model text may hold escaped
     * NULs, which jsonb refuses.
     */
    brief: json('brief').notNull(),
    outlines: json('outlines'),
    /** The outlines as they stand were approved, or need no approval. */
    outlinesApproved: boolean('outlines_approved').notNull().default(false),
    error: json('error'),
    /** Place in the fair order: users take turns (see queue_clock). */
    turn: bigint('turn', { mode: 'number' }).notNull(),
    queuedAt: time('queued_at').notNull(),
    /** First claim of the latest run, or of its part after a review. */
    runStartedAt: time('run_started_at'),
    /** Time the latest run had used when it went into review; a run's clock stands still there. */
    runUsedMs: bigint('run_used_ms', { mode: 'number' }).notNull().default(0),
    /** Starts and failed attempts of each stage in the latest run. */
    starts: jsonb('starts').notNull().default({}),
    failures: jsonb('failures').notNull().default({}),
    slideStreams: integer('slide_streams').notNull().default(0),
    takeovers: integer('takeovers').notNull().default(0),
    /**
     * A stream of slides was begun on the present deck, so a second start must look before it pays
     * again.
     */
    deckStreamed: boolean('deck_streamed').notNull().default(false),
    deckPrepared: boolean('deck_prepared').notNull().default(false),
    slidesFinished: boolean('slides_finished').notNull().default(false),
    reviewExpiresAt: time('review_expires_at'),
    uploads: integer('uploads').notNull().default(0),
    /** When further exports were asked for in the last hour. */
    exportTimes: timestamp('export_times', { withTimezone: true, precision: 3 })
      .array()
      .notNull()
      .default([]),
    createdAt: time('created_at').notNull().defaultNow(),
    updatedAt: time('updated_at').notNull().defaultNow(),
    startedAt: time('started_at'),
    completedAt: time('completed_at'),
    /** End of the latest run, until its log, which is kept for a while after it, is pruned. */
    endedAt: time('ended_at'),
  },
  (table) => [
    check(
      'presentations_status',
      sql`${table.status} in ('queued', 'running', 'awaiting_outlines', 'completed', 'failed', 'cancelled')`,
    ),
    index('presentations_of_user').on(table.userId, table.createdAt, table.id),
    index('presentations_of_user_by_status').on(
      table.userId,
      table.status,
      table.createdAt,
      table.id,
    ),
    // What can be claimed: the queue, and further exports, which are shown as running before
    // anybody works on them.
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
    // Small enough to be read whole when they are counted: the table is not.
    index('presentations_at_rest')
      .on(table.status)
      .where(sql`${table.status} in ('completed', 'failed', 'cancelled')`),
  ],
)

/**
 * Narrow and hot: renewed every second, counted up with every event. Half-filled pages keep its
 * updates in place.
 */
export const leases = gateway.table('leases', {
  presentationId: uuid('presentation_id')
    .primaryKey()
    .references(() => presentations.id, { onDelete: 'cascade' }),
  token: uuid('token'),
  expiresAt: time('expires_at'),
  lastSeq: bigint('last_seq', { mode: 'number' }).notNull().default(0),
})

/**
 * The log: dense numbers per presentation, each event as its encoded line. No foreign key: every
 * append goes through the lease row, which has one, and a check per event would cost as much as the
 * insert.
 */
export const events = gateway.table(
  'events',
  {
    presentationId: uuid('presentation_id').notNull(),
    seq: bigint('seq', { mode: 'number' }).notNull(),
    run: integer('run').notNull(),
    terminal: boolean('terminal').notNull().default(false),
    /** The event's type. Null in rows of releases that did not record it. */
    kind: text('kind'),
    data: text('data').notNull(),
  },
  (table) => [primaryKey({ columns: [table.presentationId, table.seq] })],
)

/** The finished files of a presentation, one per format. */
export const files = gateway.table(
  'files',
  {
    presentationId: uuid('presentation_id')
      .notNull()
      .references(() => presentations.id, { onDelete: 'cascade' }),
    format: text('format').notNull(),
    objectKey: text('object_key').notNull(),
    sizeBytes: bigint('size_bytes', { mode: 'number' }).notNull(),
    sha256: text('sha256').notNull(),
    contentType: text('content_type').notNull(),
    storedAt: time('stored_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.presentationId, table.format] }),
    index('files_object_key').on(table.objectKey),
  ],
)

/**
 * Every object key, recorded before its upload; outlives its presentation, so that nothing in the
 * store is forgotten.
 */
export const uploads = gateway.table(
  'uploads',
  {
    objectKey: text('object_key').primaryKey(),
    presentationId: uuid('presentation_id').notNull(),
    /** The lease that may still store this object; null for uploads that belong to no run. */
    leaseToken: uuid('lease_token'),
    recordedAt: time('recorded_at').notNull().defaultNow(),
    /**
     * To be removed from then on; null while a file names it. Set again when a newer file replaces
     * that, or with its presentation.
     */
    removeAfter: time('remove_after'),
  },
  (table) => [
    index('uploads_to_remove').on(table.removeAfter).where(sql`${table.removeAfter} is not null`),
    index('uploads_of_presentation').on(table.presentationId),
  ],
)

/** Every deck made upstream, and the finished one as upstream gave it. */
export const decks = gateway.table(
  'decks',
  {
    deckId: text('deck_id').primaryKey(),
    presentationId: uuid('presentation_id').notNull(),
    createdAt: time('created_at').notNull().defaultNow(),
    /** The finished presentation of the slides stage; what the `complete` event shows. */
    finished: json('finished'),
    removeAfter: time('remove_after'),
  },
  (table) => [
    index('decks_of_presentation').on(table.presentationId),
    index('decks_to_remove').on(table.removeAfter),
  ],
)

export const idempotencyKeys = gateway.table(
  'idempotency_keys',
  {
    userId: text('user_id').notNull(),
    key: text('key').notNull(),
    fingerprint: text('fingerprint').notNull(),
    answer: json('answer'),
    createdAt: time('created_at').notNull().defaultNow(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.key] }),
    index('idempotency_keys_created').on(table.createdAt),
  ],
)

/**
 * The ledger of quotas, one row per presentation: what was accepted, and whether it still counts.
 * Outlives the presentation for as long as a window may look back.
 */
export const ledger = gateway.table(
  'ledger',
  {
    presentationId: uuid('presentation_id').primaryKey(),
    userId: text('user_id').notNull(),
    acceptedAt: time('accepted_at').notNull(),
    slides: integer('slides').notNull(),
    /** Counts in the sliding windows. */
    accepted: boolean('accepted').notNull().default(true),
    /** Counts in the totals. */
    kept: boolean('kept').notNull().default(true),
    /** A paid stage was called under this reservation. */
    paid: boolean('paid').notNull().default(false),
    /** A slide was made under this reservation. */
    slid: boolean('slid').notNull().default(false),
  },
  (table) => [
    index('ledger_accepted').on(table.userId, table.acceptedAt).where(sql`${table.accepted}`),
    index('ledger_kept').on(table.userId).where(sql`${table.kept}`),
    index('ledger_accepted_by_all').on(table.acceptedAt),
    index('ledger_let_go').on(table.acceptedAt).where(sql`not ${table.kept}`),
  ],
)

/**
 * Tickets open one event stream each, where a browser can send neither header nor cookie. Only
 * their hashes are kept.
 */
export const tickets = gateway.table(
  'tickets',
  {
    hash: text('hash').primaryKey(),
    userId: text('user_id').notNull(),
    /** What the ticket opens: a ticket of one purpose never opens another. */
    purpose: text('purpose').notNull().default('events'),
    /** The presentation it is bound to, where its purpose needs one. */
    presentationId: uuid('presentation_id'),
    expiresAt: time('expires_at').notNull(),
    /** End of the token that the ticket was taken with; its stream ends then, too. */
    tokenExpiresAt: time('token_expires_at').notNull(),
  },
  (table) => [index('tickets_expired').on(table.expiresAt)],
)

/** The pictures that occur in a user's slides: only those may be fetched through the gateway. */
export const assets = gateway.table(
  'assets',
  {
    userId: text('user_id').notNull(),
    path: text('path').notNull(),
    presentationId: uuid('presentation_id').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.path, table.presentationId] }),
    index('assets_of_presentation').on(table.presentationId),
  ],
)

/**
 * One row: the turn that was claimed last. A newcomer starts there, so that nobody waits behind
 * another's long queue.
 */
export const queueClock = gateway.table('queue_clock', {
  id: integer('id').primaryKey(),
  turn: bigint('turn', { mode: 'number' }).notNull().default(0),
})
