// How many sources a user keeps, and how large they are together.

import { and, eq, isNull, sql } from 'drizzle-orm'
import type { Queryable } from './connection.ts'
import { sources } from './schema/sources.ts'
import { build, type Given, statement } from './statement.ts'

export interface SourceUsage {
  count: number
  bytes: number
}

const selectUsage = statement((given: Given<{ userId: string }>) =>
  build
    .select({
      count: sql<number>`count(*)`.as('count'),
      bytes: sql<number>`coalesce(sum(${sources.sizeBytes}), 0)::bigint`.as('bytes'),
    })
    .from(sources)
    .where(and(eq(sources.userId, given.userId), isNull(sources.deletedAt))),
)

export async function readSourceUsage(database: Queryable, userId: string): Promise<SourceUsage> {
  const [usage] = await selectUsage(database, { userId })
  return { count: usage?.count ?? 0, bytes: usage?.bytes ?? 0 }
}
