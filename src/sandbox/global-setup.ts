// Runs once before all test files: builds the gateway and starts one Postgres with a migrated
// template database, which each test file clones.

import type { TestProject } from 'vitest/node'
import { migrate } from '../database/migrate.ts'
import { buildIfOutdated } from './built-program.ts'
import { openPostgres } from './postgres.ts'
import { templateName } from './test-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server that all test files share: superuser, database `postgres`. */
    postgresUrl: string
  }
}

export default async function setup(project: TestProject) {
  buildIfOutdated()
  const postgres = await openPostgres()
  try {
    await migrate(await postgres.createDatabase(templateName))
  } catch (error) {
    await postgres.close()
    throw error
  }
  project.provide('postgresUrl', postgres.url)
  return () => postgres.close()
}
