// Accepts briefs: the row, the first event of its log and the response to its Idempotency-Key in
// one transaction. Upstream is not asked, so a brief is accepted in any state of upstream.

import { randomUUID } from 'node:crypto'
import { createBatcher } from '../async/batcher.ts'
import { waitAtMost } from '../async/signals.ts'
import type { Origin } from '../contract/presentation.ts'
import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import { isDatabaseUnavailable } from '../database/database-errors.ts'
import {
  firstRequestPending,
  type IdempotentOutcome,
  type IdempotentResponse,
  respondToEach,
} from '../database/idempotency.ts'
import { type IdempotentRequest, keyId, keyWaitSeconds } from '../database/idempotency-keys.ts'
import { readQuotaBudget } from '../database/quota-budget.ts'
import type { Quotas } from '../database/quota-usage.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import { activeTraceparent } from '../telemetry/traces/span.ts'
import { digestOf } from './brief-digest.ts'
import { checkSources, readBriefSources } from './check-sources.ts'
import { checkTemplate } from './check-template.ts'
import type { Brief } from './read-brief.ts'
import {
  countQueued,
  insertPresentations,
  lockAdmission,
  type NewPresentation,
  type QueueCounts,
} from './statements/insert.ts'
import { type PresentationRow, readPresentation } from './statements/queries.ts'
import { findTwins, type TwinKey } from './statements/twins.ts'

export interface QueueLimits {
  maxQueued: number
  maxQueuedPerUser: number
}

export interface AdmissionOptions {
  database: Pick<Database, 'transaction'>
  channels: Pick<Channels, 'publish'>
  queue: QueueLimits
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: (userId: string) => ReadonlySet<string> | undefined
  /** The content types of sources that upstream takes while that is known, else undefined. */
  knownSourceTypes?: () => readonly string[] | undefined
}

export interface BriefRequest {
  userId: string
  brief: Brief
  origin: Origin
  /** The caller named no template. */
  usesDefaultTemplate?: boolean
  /** The deck that upstream has made for it: its run starts after the create stage. */
  deckId?: string
  /** The account in Presenton that owns that deck; null for the shared one. */
  account?: string | null
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  /** Makes the response of the new row; it is stored for repeats of the key. */
  respond: (row: PresentationRow) => StoredResponse
  /** Given: an unfinished presentation of the same brief is the response, if there is one. */
  respondWithTwin?: (row: PresentationRow) => StoredResponse
}

/** The digest is made before the lock is taken; the trace is that of the request. */
type DigestedRequest = BriefRequest & { briefDigest: string; requestTrace: string | null }

export type Admission = ReturnType<typeof createAdmission>

// About the time of one run: until a slot is free the queue does not move.
const fullQueueRetrySeconds = 30

export function createAdmission(options: AdmissionOptions) {
  const { database, channels, queue, quotas, knownTemplates } = options
  const { knownSourceTypes = () => undefined } = options

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

  /** Checks each request as if all earlier ones were inserted, then inserts the accepted ones. */
  async function insertAccepted(
    client: Queryable,
    requests: DigestedRequest[],
  ): Promise<{ ids: string[]; responses: (StoredResponse | Problem)[] }> {
    const users = new Map<string, number>()
    for (const { userId } of requests) users.set(userId, (users.get(userId) ?? 0) + 1)
    const budget = await readQuotaBudget(client, users, quotas)
    const counts = await countQueued(client, [...users.keys()])

    const refusals = new Map<BriefRequest, Problem>()
    const inputs = new Map<BriefRequest, NewPresentation>()
    const twins = await openTwins(client, requests)
    const idsOfTwins = new Map<BriefRequest, string>()
    const known = await readBriefSources(
      client,
      requests.map(({ brief }) => brief),
    )
    const takenTypes = knownSourceTypes()
    for (const request of requests) {
      const { userId, brief, briefDigest, requestTrace } = request
      const twin = request.respondWithTwin && twins.find(request)
      if (twin) {
        idsOfTwins.set(request, twin)
        continue
      }
      try {
        // A missing default is the operator's mistake, which may be corrected before the run starts.
        if (!request.usesDefaultTemplate) checkTemplate(brief.template, knownTemplates(userId))
        const sources = checkSources(brief.sources, { userId, known, takenTypes })
        budget.check({ userId, slides: brief.nSlides })
        checkQueue(counts, userId, queue)
        const id = randomUUID()
        inputs.set(request, {
          ...{ ...toRow(request), id, userId, briefDigest, requestTrace, sources },
        })
        twins.add(request, id)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        refusals.set(request, error)
        continue
      }
      budget.take({ userId, slides: brief.nSlides })
      counts.all += 1
      counts.own.set(userId, (counts.own.get(userId) ?? 0) + 1)
    }

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

/** @throws Problem QUEUE_FULL: 429 when the user's own queue is full, 503 when the whole queue is */
export function checkQueue(
  { own, all }: QueueCounts,
  userId: string,
  { maxQueued, maxQueuedPerUser }: QueueLimits,
): void {
  const retryAfterSeconds = fullQueueRetrySeconds
  if ((own.get(userId) ?? 0) >= maxQueuedPerUser) {
    throw new Problem('QUEUE_FULL', { retryAfterSeconds })
  }
  if (all >= maxQueued) throw new Problem('QUEUE_FULL', { status: 503, retryAfterSeconds })
}

/** The twins of the requests that want one, and those that are accepted in the same batch. */
async function openTwins(client: Queryable, requests: readonly DigestedRequest[]) {
  const wanting = requests.filter(({ respondWithTwin }) => respondWithTwin)
  const found = wanting.length > 0 ? await findTwins(client, wanting) : []
  const nameOf = ({ userId, briefDigest }: TwinKey) => `${briefDigest} ${userId}`
  const ids = new Map(found.map((twin) => [nameOf(twin), twin.id]))
  return {
    find: (key: TwinKey) => ids.get(nameOf(key)),
    add: (key: TwinKey, id: string) => void ids.set(nameOf(key), id),
  }
}

function toRow(request: BriefRequest) {
  const { brief, origin, usesDefaultTemplate = false, deckId, account } = request
  return {
    origin,
    deckId: deckId ?? null,
    account: account ?? null,
    ...{ title: brief.title, template: brief.template, language: brief.language },
    ...{ nSlides: brief.nSlides, exportAs: brief.exportAs, metadata: brief.metadata },
    ...{ reviewOutlines: brief.reviewOutlines, outlines: brief.outlines },
    brief: {
      // Upstream requires a text even with outlines.
      content: brief.content ?? (brief.outlines ?? []).join('\n\n'),
      tone: brief.tone,
      verbosity: brief.verbosity,
      instructions: brief.instructions,
      includeTitleSlide: brief.includeTitleSlide,
      includeTableOfContents: brief.includeTableOfContents,
      webSearch: brief.webSearch,
      usesDefaultTemplate,
    },
  }
}
