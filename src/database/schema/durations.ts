// How long finished runs took, for the estimates of others.

import { sql } from 'drizzle-orm'
import { index, integer, jsonb, uuid } from 'drizzle-orm/pg-core'
import type { Stage } from '../../contract/stages.ts'
import { gateway, time } from './gateway.ts'

/** One row for each completed deck run; only the latest ones are kept. */
export const runDurations = gateway.table(
  'run_durations',
  {
    id: uuid('id').primaryKey().default(sql`gen_random_uuid()`),
    finishedAt: time('finished_at').notNull().defaultNow(),
    slides: integer('slides').notNull(),
    /** Of each stage of the run; a retry may have only the last ones. */
    stageMs: jsonb('stage_ms').$type<Partial<Record<Stage, number>>>().notNull(),
  },
  (table) => [index('run_durations_finished').on(table.finishedAt)],
)
