// Turns of the chat. One at a time for each deck, over all replicas. If its holder is lost, the
// deck counts as changed. Raw SQL: turns end by the database's clock. Taking one needs the lease
// row locked.

import { Problem } from '../domain/problem.ts'
import type { Database, Queryable } from './connection.ts'
import { revisionOf } from './revisions.ts'

export interface ChatTurn {
  /** Of the presentation. */
  id: string
  token: string
}

/** @throws Problem CONFLICT during a turn */
export async function checkNoTurn(client: Queryable, id: string): Promise<void> {
  const rows = await client.query(
    'select 1 from gateway.chat_turns where presentation_id = $1 and expires_at > clock_timestamp()',
    [id],
  )
  if (rows.length === 0) return
  const cause = new Error('The chat works on the deck.')
  throw new Problem('CONFLICT', { cause })
}

/** The caller has found that there is no turn, unless one has expired. */
export async function insertTurn(
  client: Queryable,
  { id, token }: ChatTurn,
  { useId, leaseMs }: { useId: string; leaseMs: number },
): Promise<void> {
  await client.query(endExpired, [id])
  await client.query(
    `insert into gateway.chat_turns (presentation_id, token, use_id, expires_at)
     values ($1, $2, $3, clock_timestamp() + $4 * interval '1 ms')`,
    [id, token, useId, leaseMs],
  )
}

export async function renewTurn(
  database: Queryable,
  { id, token }: ChatTurn,
  leaseMs: number,
): Promise<void> {
  await database.query(
    `update gateway.chat_turns set expires_at = clock_timestamp() + $3 * interval '1 ms'
     where presentation_id = $1 and token = $2`,
    [id, token, leaseMs],
  )
}

/** Ends the turn. False when it has expired and was ended. */
export async function deleteTurn(client: Queryable, { id, token }: ChatTurn): Promise<boolean> {
  const rows = await client.query(
    'delete from gateway.chat_turns where presentation_id = $1 and token = $2 returning 1',
    [id, token],
  )
  return rows.length > 0
}

/** Upstream was not asked: the unit of the quota is given back, and the turn ends. */
export async function giveTurnBack(database: Queryable, { id, token }: ChatTurn): Promise<void> {
  await database.query(
    `with ended as (
       delete from gateway.chat_turns where presentation_id = $1 and token = $2 returning use_id
     )
     delete from gateway.edit_uses u using ended e where u.id = e.use_id`,
    [id, token],
  )
}

const unknownDeck = `
  unknown as (
    update gateway.decks d set slide_digests = null from gateway.presentations p, ended e
    where p.id = e.presentation_id and d.deck_id = p.presenton_presentation_id
  )
  update gateway.presentations p set revision = ${revisionOf('p')} + 1, updated_at = now()
  from ended e where p.id = e.presentation_id and ${revisionOf('p')} is not null`

/** The deck may have changed. */
const endExpired = `with ended as (
    delete from gateway.chat_turns
    where presentation_id = $1 and expires_at <= clock_timestamp() returning presentation_id
  ), ${unknownDeck}`

/** Ends the turn of a deck that could not be read afterwards. */
export async function endUnknownTurn(database: Queryable, { id, token }: ChatTurn): Promise<void> {
  await database.query(
    `with ended as (
       delete from gateway.chat_turns
       where presentation_id = $1 and token = $2 returning presentation_id
     ), ${unknownDeck}`,
    [id, token],
  )
}

/** Ends the turns of lost holders. */
export async function endAbandonedTurns(database: Pick<Database, 'query'>): Promise<void> {
  await database.query(
    `with ended as (
       delete from gateway.chat_turns where presentation_id in (
         select c.presentation_id from gateway.chat_turns c
         join gateway.leases l using (presentation_id)
         where c.expires_at <= clock_timestamp() limit 100 for update of l skip locked)
       returning presentation_id
     ), ${unknownDeck}`,
    [],
  )
}
