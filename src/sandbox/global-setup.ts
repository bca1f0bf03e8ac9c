// Runs once for all test files: the built gateway, one Postgres, and in it a migrated template from
// which each file gets a database of its own.

import type { TestProject } from 'vitest/node'
import { migrate } from '../database/migrate.ts'
import { buildIfOutdated } from './built-program.ts'
import { openPostgres } from './postgres.ts'
import { templateName } from './test-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** Of the server that all test files share; superuser, database `postgres`. */
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
