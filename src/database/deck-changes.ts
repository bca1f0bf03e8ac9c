// The lock of a deck for changes of its slides: one at a time over all replicas. A crashed holder's
// lock expires. If it may have asked upstream to write, the deck counts as changed. Raw SQL: locks
// are taken and lost by the database's clock. Taking and finishing need the lease row locked.

import type { Database, Queryable } from './connection.ts'
import { revisionOf } from './revisions.ts'

export interface DeckLock {
  /** Of the presentation. */
  id: string
  token: string
}

/** Ends a change whose holder has crashed. The deck may have changed, so its revision grows. */
const endAbandoned = `
  with abandoned as (
    delete from gateway.deck_changes
    where presentation_id = $1 and expires_at < clock_timestamp() returning has_intent
  ), unknown as (
    update gateway.decks d set slide_digests = null from gateway.presentations p, abandoned a
    where p.id = $1 and d.deck_id = p.presenton_presentation_id and a.has_intent
  )
  update gateway.presentations p set revision = ${revisionOf('p')} + 1, updated_at = now()
  from abandoned a where p.id = $1 and a.has_intent and ${revisionOf('p')} is not null`

/**
 * Frees the deck of a change whose holder has crashed (`freed`: its revision may have grown).
 * `taken` while another change is under way.
 */
export async function freeDeck(client: Queryable, id: string): Promise<'free' | 'freed' | 'taken'> {
  const [change] = await client.query<{ isAbandoned: boolean }>(
    `select expires_at < clock_timestamp() as "isAbandoned"
     from gateway.deck_changes where presentation_id = $1`,
    [id],
  )
  if (!change) return 'free'
  if (!change.isAbandoned) return 'taken'
  await client.query(endAbandoned, [id])
  return 'freed'
}

/** Locks the lease row of a presentation. False if there is none. */
export async function lockLease(client: Queryable, id: string): Promise<boolean> {
  const rows = await client.query(
    'select 1 from gateway.leases where presentation_id = $1 for update',
    [id],
  )
  return rows.length > 0
}

/** Takes the lock of a deck that `freeDeck` has found free. */
export async function takeDeck(
  client: Queryable,
  { id, token }: DeckLock,
  leaseMs: number,
): Promise<void> {
  await client.query(
    `insert into gateway.deck_changes (presentation_id, token, expires_at)
     values ($1, $2, clock_timestamp() + $3 * interval '1 ms')`,
    [id, token, leaseMs],
  )
}

/** False when the lock is lost. */
export async function renewDeck(
  database: Queryable,
  { id, token }: DeckLock,
  leaseMs: number,
): Promise<boolean> {
  const rows = await database.query(
    `update gateway.deck_changes set expires_at = clock_timestamp() + $3 * interval '1 ms'
     where presentation_id = $1 and token = $2 returning 1`,
    [id, token, leaseMs],
  )
  return rows.length > 0
}

/** Upstream is about to be asked to write. False when the lock is lost. */
export async function noteIntent(
  database: Queryable,
  { id, token }: DeckLock,
  leaseMs: number,
): Promise<boolean> {
  const rows = await database.query(
    `update gateway.deck_changes set has_intent = true,
       expires_at = clock_timestamp() + $3 * interval '1 ms'
     where presentation_id = $1 and token = $2 and expires_at > clock_timestamp() returning 1`,
    [id, token, leaseMs],
  )
  return rows.length > 0
}

/**
 * Frees the deck without a change. With `isUnknown` the outcome of a write is unknown: the
 * lock then counts as that of a crashed holder.
 */
export async function releaseDeck(
  database: Queryable,
  { id, token }: DeckLock,
  { isUnknown = false } = {},
): Promise<void> {
  const text = isUnknown
    ? `update gateway.deck_changes set expires_at = '-infinity'
       where presentation_id = $1 and token = $2`
    : 'delete from gateway.deck_changes where presentation_id = $1 and token = $2'
  await database.query(text, [id, token])
}

export interface FinishedChange {
  /** Of each slide, as upstream has them now. */
  digests: string[]
  /** Of each slide before the change, for a deck whose digests are not known. */
  digestsBefore: string[]
  /** Set if slides were added or removed. */
  slideCount?: number | undefined
  /** The theme is another one, which shows in every file. */
  isOtherTheme?: boolean | undefined
}

/** `ended` is a CTE of that name, which deletes the lock. */
const finish = (ctes: string, commit = '') => `
  with ${ctes}, known as (
    select d.deck_id, coalesce(d.slide_digests, $4::text[]) as digests
    from gateway.decks d join gateway.presentations p on d.deck_id = p.presenton_presentation_id
    where p.id = $1
  ), noted as (
    update gateway.decks d set slide_digests = $3::text[] from known k, ended
    where d.deck_id = k.deck_id
  )
  update gateway.presentations p set
    revision = ${revisionOf('p')} + (k.digests is distinct from $3::text[] or $6::bool)::int,
    n_slides = coalesce($5::int, p.n_slides), slides_done = coalesce($5::int, p.slides_done),
    updated_at = case when k.digests is distinct from $3::text[] or $6::bool
      then now() else updated_at end
  from ended, known k where p.id = $1 returning p.revision${commit}`

const deleteLock =
  'delete from gateway.deck_changes where presentation_id = $1 and token = $2 returning 1'

const finishLocked = finish(`ended as (${deleteLock})`)

/**
 * By itself, in one round trip. Its commit does not wait for the disk: a database that forgets it
 * finds the intent again, and then counts the deck as changed.
 */
const finishAtOnce = finish(
  `lease as (
    select presentation_id from gateway.leases where presentation_id = $1 for no key update
  ), ended as (
    delete from gateway.deck_changes c using lease l
    where c.presentation_id = l.presentation_id and token = $2 returning 1
  )`,
  `, set_config('synchronous_commit', 'off', true)`,
)

const finishValues = (
  { id, token }: DeckLock,
  { digests, digestsBefore, slideCount, isOtherTheme = false }: FinishedChange,
) => [id, token, digests, digestsBefore, slideCount ?? null, isOtherTheme]

/**
 * Ends the change: the revision grows if the deck differs from what upstream returned last. Returns
 * the revision; undefined when the lock is lost.
 */
export async function finishChange(
  client: Queryable,
  lock: DeckLock,
  change: FinishedChange,
): Promise<number | undefined> {
  const [row] = await client.query<{ revision: number }>(finishLocked, finishValues(lock, change))
  return row?.revision
}

/** The same in a statement by itself. */
export async function finishChangeAtOnce(
  database: Queryable,
  lock: DeckLock,
  change: FinishedChange,
): Promise<number | undefined> {
  const [row] = await database.query<{ revision: number }>(finishAtOnce, finishValues(lock, change))
  return row?.revision
}

/** A deck that is as the caller knows it. */
export interface ExpectedRevision {
  userId: string
  deckId: string
  revision: number
  /** The hash of a session of the slide maker, which must not have ended. Undefined: any caller. */
  session?: string | undefined
}

/**
 * Takes the lock of a finished deck and notes the intent, in one statement; false if the deck is
 * not as the caller knows it, not free, or the session has ended. Both rows are locked, so that a
 * row that was read before the locks were granted is read again.
 */
export async function takeDeckAtOnce(
  database: Queryable,
  { id, token }: DeckLock,
  { userId, deckId, revision, session, leaseMs }: ExpectedRevision & { leaseMs: number },
): Promise<boolean> {
  const rows = await database.query(
    `with free as (
       select p.id from gateway.leases l join gateway.presentations p on p.id = l.presentation_id
       where l.presentation_id = $1 and p.user_id = $2 and p.presenton_presentation_id = $3
         and ${revisionOf('p')} = $4
         and (p.status = 'completed' or (p.status = 'running' and p.run_kind = 'export'))
         and ($7::text is null or exists (select 1 from gateway.maker_sessions
           where hash = $7 and user_id = $2 and expires_at > now()))
       for no key update of l, p
     )
     insert into gateway.deck_changes (presentation_id, token, has_intent, expires_at)
     select id, $5, true, clock_timestamp() + $6 * interval '1 ms' from free
     on conflict (presentation_id) do nothing returning 1`,
    [id, userId, deckId, revision, token, leaseMs, session ?? null],
  )
  return rows.length > 0
}

/** Ends abandoned changes of decks that no other change has taken. */
export async function endAbandonedChanges(
  database: Pick<Database, 'query' | 'transaction'>,
): Promise<void> {
  await database.transaction(async (client) => {
    const rows = await client.query<{ id: string }>(
      `select c.presentation_id as id from gateway.deck_changes c
       join gateway.leases l using (presentation_id)
       where c.expires_at < clock_timestamp() limit 100 for update of l skip locked`,
      [],
    )
    for (const { id } of rows) await client.query(endAbandoned, [id])
  })
}
