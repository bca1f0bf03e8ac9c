// The decks that were made in Presenton. Each is recorded as soon as it exists, so that it can be
// shown when it is finished and removed with its presentation.
import { and, eq, lte, notExists, sql } from 'drizzle-orm'
import type { Queryable } from './connection.ts'
import type { ExtraStatement } from './run-write.ts'
import { decks } from './schema/external.ts'
import { presentations } from './schema/presentations.ts'
import { build, columns, type Given, statement } from './statement.ts'

/** Records a new deck of the run that writes. */
export function recordDeck(deckId: string, account: string | null): ExtraStatement {
  return {
    text: `insert into gateway.decks (deck_id, presentation_id, account)
      values ($2, $1, $3) on conflict do nothing`,
    values: [deckId, account],
  }
}

interface UnwantedDeck {
  deckId: string
  presentationId: string
  account: string | null
}

const insertUnwanted = statement((given: Given<UnwantedDeck>) =>
  build
    .insert(decks)
    .values({
      deckId: given.deckId,
      presentationId: given.presentationId,
      account: given.account,
      removeAfter: sql`now()`,
    })
    .onConflictDoNothing(),
)

/** Schedules the removal of a deck whose run lost its lease before it could record the deck. */
export async function scheduleDeckRemoval(database: Queryable, deck: UnwantedDeck): Promise<void> {
  await insertUnwanted(database, deck)
}

const selectRemovable = statement((given: Given<{ limit: number }>) =>
  build
    .select(columns(decks, 'deckId'))
    .from(decks)
    .where(
      and(
        lte(decks.removeAfter, sql`now()`),
        notExists(
          build
            .select(columns(presentations, 'id'))
            .from(presentations)
            .where(
              and(
                eq(presentations.id, decks.presentationId),
                eq(presentations.deckId, decks.deckId),
              ),
            ),
        ),
      ),
    )
    .orderBy(decks.removeAfter)
    .limit(given.limit),
)

/** Decks to remove upstream, longest due first; none that a presentation still works with. */
export async function findRemovableDecks(database: Queryable, limit = 50): Promise<string[]> {
  return (await selectRemovable(database, { limit })).map(({ deckId }) => deckId)
}

/** Whose account in Presenton owns a deck; undefined for the shared one. */
export async function findDeckOwner(
  database: Queryable,
  deckId: string,
): Promise<{ userId: string; account: string } | undefined> {
  const [row] = await database.query<{ userId: string; account: string }>(
    `select a.user_id as "userId", a.name as account from gateway.decks d
     join gateway.upstream_accounts a on a.name = d.account where d.deck_id = $1`,
    [deckId],
  )
  return row
}

const deleteById = statement((given: Given<{ deckId: string }>) =>
  build.delete(decks).where(eq(decks.deckId, given.deckId)),
)

/** Deletes the record of a deck that no longer exists upstream. */
export async function deleteDeckRecord(database: Queryable, deckId: string): Promise<void> {
  await deleteById(database, { deckId })
}

const postpone = statement((given: Given<{ deckId: string; minutes: number }>) =>
  build
    .update(decks)
    .set({ removeAfter: sql`now() + ${given.minutes} * interval '1 minute'` })
    .where(eq(decks.deckId, given.deckId)),
)

/** Schedules another attempt at a removal that failed. Other decks come first until then. */
export async function postponeDeck(
  database: Queryable,
  deckId: string,
  minutes: number,
): Promise<void> {
  await postpone(database, { deckId, minutes })
}

/** Stores the finished deck as Presenton sent it, for the `complete` events of all later runs. */
export function recordFinishedDeck(
  deckId: string,
  finished: unknown,
  revision = 1,
): ExtraStatement {
  return {
    text: `update gateway.decks set finished = $3, finished_revision = $4
      where presentation_id = $1 and deck_id = $2`,
    values: [deckId, JSON.stringify(finished), revision],
  }
}

/** The revision of a deck that has changed since it was stored; undefined if it has not. */
export async function findChangedRevision(
  database: Queryable,
  deckId: string,
): Promise<number | undefined> {
  const [row] = await database.query<{ revision: number }>(
    `select p.revision from gateway.presentations p
     join gateway.decks d on d.deck_id = p.presenton_presentation_id
     where d.deck_id = $1 and p.revision > d.finished_revision`,
    [deckId],
  )
  return row?.revision
}

const selectFinished = statement((given: Given<{ deckId: string }>) =>
  build
    .select({ ...columns(decks, 'finished'), ...columns(presentations, 'title') })
    .from(decks)
    .innerJoin(presentations, eq(presentations.id, decks.presentationId))
    .where(eq(decks.deckId, given.deckId)),
)

/** The finished deck under the presentation's current title; undefined before it is finished. */
export async function findFinishedDeck(
  database: Queryable,
  deckId: string,
): Promise<object | undefined> {
  const [row] = await selectFinished(database, { deckId })
  if (!row?.finished) return undefined
  return row.title === null ? row.finished : { ...row.finished, title: row.title }
}
