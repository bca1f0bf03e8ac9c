// Accepts briefs: the row, the first event of its log and the response to its Idempotency-Key in
// one transaction. Upstream is not asked, so a brief is accepted in any state of upstream.

import { createBatcher } from '../async/batcher.ts'
import { waitAtMost } from '../async/signals.ts'
import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import {
  firstRequestPending,
  type IdempotentOutcome,
  type IdempotentResponse,
  respondToEach,
} from '../database/idempotency.ts'
import { keyId, keyWaitSeconds } from '../database/idempotency-keys.ts'
import { readQuotaBudget } from '../database/quota-budget.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import { activeTraceparent } from '../telemetry/traces/span.ts'
import { digestOf } from './brief-digest.ts'
import { checkQueue } from './check-queue.ts'
import {
  type BriefRequest,
  createJudgeBriefs,
  type DigestedRequest,
  type JudgeOptions,
} from './judge-briefs.ts'
import { countQueued, insertPresentations, lockAdmission } from './statements/insert.ts'
import { readPresentation } from './statements/queries.ts'

export interface AdmissionOptions extends JudgeOptions {
  database: Pick<Database, 'transaction'>
  channels: Pick<Channels, 'publish'>
}

export type Admission = ReturnType<typeof createAdmission>

export function createAdmission(options: AdmissionOptions) {
  const { database, channels, queue, quotas } = options
  const judgeBriefs = createJudgeBriefs(options)

  // All requests that come during one transaction share the next: one lock and one disk flush.
  const batcher = createBatcher<DigestedRequest, IdempotentResponse>({
    process: acceptAll,
    overloaded: () => new Problem('DATABASE_UNAVAILABLE', { retryAfterSeconds: 5 }),
    isSharedFailure: isDatabaseUnavailable,
  })

  async function acceptAll(requests: DigestedRequest[]): Promise<IdempotentOutcome[]> {
    const ids: string[] = []
    const outcomes = await respondToEach({
      database,
      requests,
      keyOf: ({ userId, idempotency }) => idempotency && { ...idempotency, userId },
      before: lockAdmission,
      work: async (client, fresh) => {
        const accepted = await insertAccepted(client, fresh)
        ids.push(...accepted.ids)
        return accepted.responses
      },
    })
    if (ids.length > 0) channels.publish('queue', {})
    for (const id of ids) channels.publish('log', { id, seq: 1 })
    return outcomes
  }

  /** The pending first request of each idempotency key in this process. */
  const pending = new Map<string, Promise<unknown>>()

  /**
   * Accepts the brief, or returns the response that the first request with its key got.
   *
   * @throws Problem VALIDATION_FAILED (unknown template), QUOTA_EXHAUSTED, QUOTA_EXCEEDED,
   * QUEUE_FULL, IDEMPOTENCY_KEY_REUSED, CONFLICT (the first request takes over five seconds)
   */
  async function accept(request: BriefRequest): Promise<IdempotentResponse> {
    const { userId, idempotency } = request
    const requestTrace = activeTraceparent() ?? null
    const digested = { ...request, briefDigest: digestOf(request.brief), requestTrace }
    if (!idempotency) return batcher.add(digested)
    const key = keyId({ ...idempotency, userId })
    // Repeats wait here and not in a batch, which would delay the other requests in it.
    const deadlineMs = performance.now() + keyWaitSeconds * 1000
    while (pending.has(key)) {
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) throw firstRequestPending()
      await waitAtMost(leftMs, pending.get(key))
    }
    const response = batcher.add(digested)
    const remove = () => void pending.delete(key)
    pending.set(key, response.then(remove, remove))
    return response
  }

  /** Inserts the accepted of the requests, and responds to each. */
  async function insertAccepted(
    client: Queryable,
    requests: DigestedRequest[],
  ): Promise<{ ids: string[]; responses: (StoredResponse | Problem)[] }> {
    const { inputs, idsOfTwins, refusals } = await judgeBriefs(client, requests)
    const rows = inputs.size > 0 ? await insertPresentations(client, [...inputs.values()]) : []
    const byId = new Map(rows.map((row) => [row.id, row]))
    const ids = [...byId.keys()]
    for (const id of new Set(idsOfTwins.values()))
      if (!byId.has(id)) byId.set(id, await readPresentation(client, id))
    const responses = requests.map((request) => {
      const twin = byId.get(idsOfTwins.get(request) ?? '')
      if (twin && request.respondWithTwin) return request.respondWithTwin(twin)
      const row = byId.get(inputs.get(request)?.id ?? '')
      return row ? request.respond(row) : (refusals.get(request) ?? new Problem('INTERNAL_ERROR'))
    })
    return { ids, responses }
  }

  /**
   * Whether a presentation of so many slides would be accepted now. It reserves nothing.
   *
   * @throws Problem QUOTA_EXHAUSTED, QUOTA_EXCEEDED, QUEUE_FULL
   */
  async function check({ userId, slides }: { userId: string; slides: number }): Promise<void> {
    await database.transaction(async (client) => {
      const budget = await readQuotaBudget(client, new Map([[userId, 1]]), quotas)
      budget.check({ userId, slides })
      checkQueue(await countQueued(client, [userId]), userId, queue)
    })
  }

  return { accept, check }
}
