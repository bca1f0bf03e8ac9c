// A test database with presentations in it, for tests of the database layer.

import { randomUUID } from 'node:crypto'
import type { EncodedEvent } from '../contract/events.ts'
import { openDatabase } from '../database/connection.ts'
import { insertPresentations, type NewPresentation } from '../presentations/statements/insert.ts'
import { openTestDatabase } from './test-database.ts'

/** Clones a database and opens a pool on it. `close` drops the one and ends the other. */
export async function openTestRows() {
  const test = await openTestDatabase()
  const database = openDatabase({ url: test.url, poolMax: 5 })
  return {
    url: test.url,
    database,
    /** Queues a presentation and returns its id. */
    async insert(overrides: Partial<NewPresentation> = {}): Promise<string> {
      const id = overrides.id ?? randomUUID()
      await database.transaction((client) =>
        insertPresentations(client, [{ ...defaults, ...overrides, id }]),
      )
      return id
    },
    async close() {
      await database.close()
      await test.close()
    },
  }
}

/** An event with this line of JSON, as a run would log it. */
export function logEvent(data: string, isTerminal = false): EncodedEvent {
  const [, kind = 'chunk'] = /"type":\s?"(\w+)"/.exec(data) ?? []
  return { kind, data, isTerminal }
}

export type TestRows = Awaited<ReturnType<typeof openTestRows>>

export const sampleBrief = {
  content: 'A summary.',
  tone: 'default',
  verbosity: 'standard',
  instructions: null,
  includeTitleSlide: true,
  includeTableOfContents: false,
  webSearch: false,
}

const defaults: Omit<NewPresentation, 'id'> = {
  requestTrace: null,
  userId: 'alice',
  origin: 'api',
  briefDigest: null,
  title: null,
  template: 'general',
  language: 'English',
  nSlides: 3,
  exportAs: 'pptx',
  reviewOutlines: false,
  sources: [],
  metadata: {},
  outlines: null,
  brief: sampleBrief,
}
