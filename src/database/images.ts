// The images in a user's slides: the gateway serves these and no others, and only to that user.
import { and, eq, sql } from 'drizzle-orm'
import type { Queryable } from './connection.ts'
import type { ExtraStatement } from './run-write.ts'
import { images } from './schema/external.ts'
import { presentations } from './schema/presentations.ts'
import { build, columns, type Given, statement } from './statement.ts'

/** Joins the write of the events that name the images. Paths are not percent-encoded. */
export function recordImages(userId: string, paths: readonly string[]): ExtraStatement {
  return {
    text: `insert into gateway.assets (user_id, path, presentation_id)
      select $2, path, $1 from unnest($3::text[]) as path
      on conflict do nothing`,
    values: [userId, paths],
  }
}

const selectImage = statement((given: Given<{ userId: string; path: string }>) =>
  build
    .selectDistinct(columns(presentations, 'account'))
    .from(images)
    .innerJoin(presentations, eq(presentations.id, images.presentationId))
    .where(and(eq(images.userId, given.userId), eq(images.path, given.path))),
)

/**
 * The accounts in Presenton whose decks of this user name the image; none if the user's slides do
 * not. Null is the shared account.
 */
export async function findImageAccounts(
  database: Queryable,
  { userId, path }: { userId: string; path: string },
): Promise<(string | null)[]> {
  return (await selectImage(database, { userId, path })).map(({ account }) => account)
}

const selectOwned = statement((given: Given<{ userId: string; paths: string[] }>) =>
  build
    .select(columns(images, 'path'))
    .from(images)
    .where(and(eq(images.userId, given.userId), sql`${images.path} = any(${given.paths})`)),
)

/** Those of the paths that occur in this user's slides. */
export async function findOwnedImages(
  database: Queryable,
  { userId, paths }: { userId: string; paths: string[] },
): Promise<ReadonlySet<string>> {
  if (paths.length === 0) return new Set()
  return new Set((await selectOwned(database, { userId, paths })).map(({ path }) => path))
}
