// The Postgres schema that holds all tables, and the type of its times. The files beside this one
// are the only place that spells columns: row types come from them, and `npm run db:generate`
// writes the migrations in drizzle/ from them.
import { pgSchema, timestamp } from 'drizzle-orm/pg-core'

export const gateway = pgSchema('gateway')

/** Milliseconds, as in a JavaScript Date: the list's cursor must survive the way there and back. */
export const time = (name: string) =>
  timestamp(name, { withTimezone: true, precision: 3, mode: 'date' })
