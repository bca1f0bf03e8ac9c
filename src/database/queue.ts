// The queue as SQL fragments: which runs wait, in what order they are claimed, and the turn of a
// run that joins. Statements about the queue are built from these, so that they always agree.
// `p` is the alias (or name) of a row of gateway.presentations.

/**
 * The run waits for its first claim, or for the claim after a review or after giving up its slot.
 */
export const isWaiting = (p: string) =>
  `${p}.status in ('queued', 'running') and ${p}.run_started_at is null`

/** The run waits and may be claimed now. */
export const isClaimable = (p: string) =>
  `${isWaiting(p)} and (${p}.resume_after is null or ${p}.resume_after <= clock_timestamp())`

/** How long a run that gave up its slot has been queued, in ms: its clock continues. */
export const queuedMs = (p: string) => `case when ${p}.resume_after is null then 0
  else (extract(epoch from clock_timestamp() - ${p}.queued_at) * 1000)::bigint end`

/** The turn of a run that gave up its slot: after those whose turn it is now. */
export const returningTurn = '(select turn + 1 from gateway.queue_clock where id = 1)'

/** The order of claims. The index `presentations_waiting` has the same columns. */
export const queueOrder = (p: string) => `${p}.turn, ${p}.queued_at, ${p}.id`

/** The number of waiting runs that are claimed before `p`. */
export const countAhead = (p: string) => `(
  select count(*) from gateway.presentations ahead
  where ${isWaiting('ahead')} and (${queueOrder('ahead')}) < (${queueOrder(p)}))`

/**
 * The turn of a run that joins the queue now: one after the user's last turn, and one after the
 * turn that was claimed last. Users alternate, however long their queues are, and a stream of new
 * users delays no one forever (start-time fair queueing).
 */
export const nextTurn = (userId: string) => `greatest(
  ${returningTurn},
  (select max(own.turn) + 1 from gateway.presentations own
   where own.user_id = ${userId} and own.status in ('queued', 'running')))`
