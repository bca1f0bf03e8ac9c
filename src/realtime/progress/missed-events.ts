// What happened to followed runs between two reads of their states, from the log.

import type { Database } from '../../database/connection.ts'
import { isFinished } from '../../domain/status.ts'
import type { Job } from './job.ts'
import { type JobRow, readRunEnds, readStateEvents, type StateEventRow } from './statements.ts'

type EventsById = Map<string, StateEventRow[]>

export function createMissedEvents(
  database: Pick<Database, 'query'>,
  jobOf: (id: string) => Job | undefined,
) {
  return {
    /** A run that ended and was followed by another one between two reads still shows its end. */
    async readEnds(rows: JobRow[]): Promise<EventsById> {
      const asked = rows.flatMap(({ id, run }) => {
        const known = jobOf(id)?.row()
        if (!known || run <= known.run) return []
        const from = isFinished(known.status) ? known.run + 1 : known.run
        return from < run ? [{ id, from, before: run }] : []
      })
      return groupById(asked.length === 0 ? [] : await readRunEnds(database, asked))
    },

    /** Short stages of those that are watched, which no read has seen. */
    async readChanges(rows: JobRow[]): Promise<EventsById> {
      const asked = rows.flatMap(({ id, lastSeq: upTo }) => {
        const job = jobOf(id)
        const after = job?.isWatched() ? (job.row()?.lastSeq ?? upTo) : upTo
        return after < upTo ? [{ id, after, upTo }] : []
      })
      return groupById(asked.length === 0 ? [] : await readStateEvents(database, asked))
    },
  }
}

function groupById(events: StateEventRow[]): EventsById {
  const byId = new Map<string, StateEventRow[]>()
  for (const event of events) byId.set(event.id, [...(byId.get(event.id) ?? []), event])
  return byId
}
