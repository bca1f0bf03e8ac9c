// Claiming runs and keeping them. A lease is a token with an end in time, by the database's clock;
// whoever holds the token may write, and a write with any other token changes nothing. The lease
// row is always locked before its presentation.
import { randomUUID } from 'node:crypto'
import type { Stage } from '../contract/stages.ts'
import type { Database } from './connection.ts'
import { isWaiting, queueOrder } from './queue.ts'

/** A claimed run: what its worker needs to go on from the last checkpoint. */
export interface Run {
  id: string
  userId: string
  token: string
  /** The last event number at the moment of the claim. */
  lastSeq: number
  run: number
  runKind: 'deck' | 'export'
  runFormat: 'pptx' | 'pdf'
  title: string | null
  template: string
  language: string
  nSlides: number
  slidesDone: number
  reviewOutlines: boolean
  brief: RunBrief
  outlines: string[] | null
  outlinesApproved: boolean
  deckId: string | null
  deckPrepared: boolean
  deckStreamed: boolean
  slidesFinished: boolean
  path: string | null
  progress: number
  starts: Partial<Record<Stage, number>>
  failures: Partial<Record<Stage, number>>
  slideStreams: number
  takeovers: number
  uploads: number
  stage: Stage | null
  /** How much of the run's time is used up, in ms. */
  usedMs: number
}

/** The part of a brief that only the worker reads. */
export interface RunBrief {
  content: string
  tone: string
  verbosity: string
  instructions: string | null
  includeTitleSlide: boolean
  includeTableOfContents: boolean
  webSearch: boolean
}

export interface Slots {
  maxRunning: number
  maxRunningPerUser: number
  leaseMs: number
}

// Any constants: only our own claims take these locks.
export const queueLock = 7_260_138
// A statement of its own: what the next one counts must be as it is once the lock is held.
const takeQueueLock = `set local synchronous_commit = off; select pg_advisory_xact_lock(${queueLock})`

const runColumns = `
  p.id, p.user_id as "userId", p.run, p.run_kind as "runKind", p.run_format as "runFormat", p.title, p.template, p.language,
  p.n_slides as "nSlides", p.slides_done as "slidesDone", p.review_outlines as "reviewOutlines", p.brief, p.outlines,
  p.outlines_approved as "outlinesApproved", p.presenton_presentation_id as "deckId", p.deck_prepared as "deckPrepared",
  p.deck_streamed as "deckStreamed", p.slides_finished as "slidesFinished", p.presenton_path as path, p.progress, p.starts,
  p.failures, p.slide_streams as "slideStreams", p.takeovers, p.uploads, p.stage,
  p.run_used_ms + (extract(epoch from clock_timestamp() - p.run_started_at) * 1000)::bigint as "usedMs"`

/** A cheap look before a claim, which takes a lock that all replicas share. */
export async function hasClaimable(database: Pick<Database, 'query'>): Promise<boolean> {
  const rows = await database.query(
    `select 1 where exists (select 1 from gateway.presentations p where ${isWaiting('p')})
       or exists (select 1 from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
                  where p.status = 'running' and p.run_started_at is not null and (l.token is null or l.expires_at < clock_timestamp()))`,
  )
  return rows.length > 0
}

export interface Claim extends Slots {
  /**
   * What the new holder is to be known by. A claim whose answer was lost may have gone through:
   * asked again with the same token it finds its run, without a takeover.
   */
  token: string
  /**
   * Whether runs with an expired lease are taken. Not right after an outage of ours: their holders
   * had no chance to renew either.
   */
  takeOver: boolean
}

/**
 * Claims one run, or none. First what lost its worker (such a run still holds its slot, so no cap
 * is asked), then the queue in its fair order. Claims are serialised by one lock, so that the caps
 * hold exactly over all replicas.
 *
 * The commit waits for no disk: a claim that a crash of the database takes back was followed by
 * nothing that lasted, since whatever its holder writes (before it does anything outside) comes
 * later in the same log, and a token that is forgotten is given to nobody else.
 */
export function claim(
  database: Pick<Database, 'query' | 'transaction'>,
  { token = randomUUID(), takeOver = true, ...slots }: Slots & Partial<Claim>,
): Promise<Run | undefined> {
  return database.transaction(async (client) => {
    const rows = await client.query<Run>(
      `with left_behind as (
         select p.id, l.token is not null and l.token <> $1::uuid as crashed from gateway.presentations p
         join gateway.leases l on l.presentation_id = p.id
         where p.status = 'running' and p.run_started_at is not null
           and (l.token is null or l.token = $1::uuid or ($3 and l.expires_at < clock_timestamp()))
         order by l.expires_at nulls first limit 1 for update of l skip locked
       ), running as materialized (
         select user_id, count(*) as n from gateway.presentations
         where status = 'running' and run_started_at is not null group by user_id
       ), waiting as (
         select p.id from gateway.presentations p join gateway.leases l on l.presentation_id = p.id
         where not exists (select 1 from left_behind)
           and ${isWaiting('p')} and (select coalesce(sum(n), 0) from running) < $4
           and coalesce((select n from running r where r.user_id = p.user_id), 0) < $5
         order by ${queueOrder('p')} limit 1 for update of l skip locked
       ), candidate as (
         select id, crashed, false as waits from left_behind union all select id, false, true from waiting
       ), claimed as (
         update gateway.presentations p set status = 'running', takeovers = p.takeovers + c.crashed::int, updated_at = now(),
           started_at = coalesce(p.started_at, now()), run_started_at = coalesce(p.run_started_at, now())
         from candidate c
         where p.id = c.id and p.status in ('running', case when c.waits then 'queued' end) and (p.run_started_at is null) = c.waits
         returning p.turn, ${runColumns}
       ), clock as (
         update gateway.queue_clock q set turn = c.turn from claimed c where q.id = 1 and q.turn < c.turn
       )
       update gateway.leases l set token = $1::uuid, expires_at = clock_timestamp() + $2 * interval '1 ms'
       from claimed c where l.presentation_id = c.id
       returning c.*, l.last_seq as "lastSeq", $1::uuid as token`,
      [token, slots.leaseMs, takeOver, slots.maxRunning, slots.maxRunningPerUser],
    )
    return rows[0]
  }, takeQueueLock)
}

/**
 * Renews the leases held (id -> token) of which a fifth is over, and returns the ids still held.
 * One that has expired but was not taken over yet is renewed as well: its worker lives, and its
 * money is spent.
 *
 * A row that is just being written waits for the next time. Who waited for it would hold those
 * before it back meanwhile, and with them all that their runs write: once a beat every run would
 * stand still for as long as some commits take.
 */
export async function renew(
  database: Pick<Database, 'query'>,
  held: Map<string, string>,
  leaseMs: number,
): Promise<Set<string>> {
  const rows = await database.query<{ id: string }>(
    `with held as (
       select l.presentation_id as id from gateway.leases l join unnest($1::uuid[], $2::uuid[]) as asked(id, token)
         on l.presentation_id = asked.id and l.token = asked.token
     ), free as materialized (
       select l.presentation_id as id from gateway.leases l join unnest($1::uuid[], $2::uuid[]) as asked(id, token)
         on l.presentation_id = asked.id and l.token = asked.token
       where l.expires_at < clock_timestamp() + 0.8 * $3 * interval '1 ms' for update of l skip locked
     ), renewed as (
       update gateway.leases l set expires_at = clock_timestamp() + $3 * interval '1 ms' from free where l.presentation_id = free.id
     )
     select id from held`,
    [[...held.keys()], [...held.values()], leaseMs],
  )
  return new Set(rows.map(({ id }) => id))
}

/** Hands a run back: it keeps its slot and can be claimed at once, which counts as no takeover. */
export async function releaseLease(
  database: Pick<Database, 'query'>,
  { id, token }: { id: string; token: string },
): Promise<void> {
  await database.query(
    'update gateway.leases set token = null, expires_at = null where presentation_id = $1 and token = $2',
    [id, token],
  )
}
