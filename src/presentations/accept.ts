// Accepts a brief: its row, its log's first event and the answer to its Idempotency-Key in one
// transaction. Upstream is not asked anything: a brief is taken whatever state the generator is in.
import { randomUUID } from 'node:crypto'
import { createBatcher } from '../async/batcher.ts'
import { sleep } from '../async/signals.ts'
import { encodeEvent } from '../contract/events.ts'
import type { Channels } from '../database/channels.ts'
import type { Database, Queryable } from '../database/connection.ts'
import {
  firstRequestPending,
  type IdempotentOutcome,
  type IdempotentResponse,
  respondToEach,
} from '../database/idempotency.ts'
import { type IdempotentRequest, keyId, keyWaitSeconds } from '../database/idempotency-keys.ts'
import { type Quotas, readQuotaBudget } from '../database/ledger.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import type { Brief } from './read-brief.ts'
import {
  countQueued,
  insertPresentations,
  lockAdmission,
  type NewPresentation,
  type QueueCounts,
} from './statements/insert.ts'
import type { PresentationRow } from './statements/queries.ts'

export interface QueueLimits {
  maxQueued: number
  maxQueuedPerUser: number
}

export interface AdmissionOptions {
  database: Pick<Database, 'transaction'>
  channels: Pick<Channels, 'queue' | 'events'>
  queue: QueueLimits
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: () => ReadonlySet<string> | undefined
}

export interface BriefRequest {
  userId: string
  brief: Brief
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  /** What the caller is told of the new row; kept for repeats of its key. */
  respond: (row: PresentationRow) => StoredResponse
}

export type Admission = ReturnType<typeof createAdmission>

// Until a slot is free nothing moves in the queue; about how long a run takes is a fair time to
// come back after.
const fullQueueRetrySeconds = 30

export function createAdmission({
  database,
  channels,
  queue,
  quotas,
  knownTemplates,
}: AdmissionOptions) {
  // One transaction, one lock and one fsync for all that come while the one before is under way.
  const groups = createBatcher<BriefRequest, IdempotentResponse>({
    process: acceptAll,
  })

  async function acceptAll(requests: BriefRequest[]): Promise<IdempotentOutcome[]> {
    const ids: string[] = []
    const given = await respondToEach({
      database,
      requests,
      keyOf: ({ userId, idempotency }) => idempotency && { ...idempotency, userId },
      work: async (client, fresh) => {
        const taken = await insertAccepted(client, fresh)
        ids.push(...taken.ids)
        return taken.answers
      },
    })
    if (ids.length > 0) channels.queue()
    for (const id of ids) channels.events(id, 1)
    return given
  }

  const firsts = new Map<string, Promise<unknown>>()

  /**
   * Who repeats a key waits here for the first: the group that holds it may hang, and those behind
   * it are told something else.
   */
  async function accept(request: BriefRequest): Promise<IdempotentResponse> {
    const { userId, idempotency } = request
    if (!idempotency) return groups.add(request)
    const name = keyId({ ...idempotency, userId })
    const patience = new AbortController()
    const tooLate = sleep(keyWaitSeconds * 1000, patience.signal).then(() =>
      Promise.reject(firstRequestPending()),
    )
    tooLate.catch(() => undefined)
    try {
      for (let first = firsts.get(name); first; first = firsts.get(name))
        await Promise.race([first, tooLate])
    } finally {
      patience.abort()
    }
    const answer = groups.add(request)
    const ended = answer.then(
      () => firsts.delete(name),
      () => firsts.delete(name),
    )
    firsts.set(name, ended)
    return answer
  }

  /** Each as if those before it had come before it. */
  async function insertAccepted(
    client: Queryable,
    requests: BriefRequest[],
  ): Promise<{ ids: string[]; answers: (StoredResponse | Problem)[] }> {
    await lockAdmission(client)
    const users = new Map<string, number>()
    for (const { userId } of requests) users.set(userId, (users.get(userId) ?? 0) + 1)
    const room = await readQuotaBudget(client, users, quotas)
    const queued = await countQueued(client, [...users.keys()])

    const refusals = new Map<BriefRequest, Problem>()
    const inputs = new Map<BriefRequest, NewPresentation>()
    for (const request of requests) {
      const { userId, brief } = request
      try {
        checkTemplate(brief)
        room.check({ userId, slides: brief.nSlides })
        checkQueue(queued, userId, queue)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        refusals.set(request, error)
        continue
      }
      room.take({ userId, slides: brief.nSlides })
      queued.all += 1
      queued.own.set(userId, (queued.own.get(userId) ?? 0) + 1)
      inputs.set(request, { ...toRow(brief), id: randomUUID(), userId })
    }

    const firstEvent = encodeEvent('queued', { position: 0 }, { run: 1 }).data
    const rows =
      inputs.size > 0 ? await insertPresentations(client, [...inputs.values()], firstEvent) : []
    const made = new Map(rows.map((row) => [row.id, row]))
    const answers = requests.map((request) => {
      const row = made.get(inputs.get(request)?.id ?? '')
      return row ? request.respond(row) : (refusals.get(request) ?? new Problem('INTERNAL_ERROR'))
    })
    return { ids: [...made.keys()], answers }
  }

  function checkTemplate({ template }: Brief) {
    const known = knownTemplates()
    // Templates that users made themselves are not in every list.
    if (!known || known.has(template) || template.startsWith('custom-')) return
    throw new Problem('VALIDATION_FAILED', {
      errors: [{ path: '/template', message: 'is not a template of the generator' }],
    })
  }

  return {
    /**
     * Takes the brief in, or gives the first answer again.
     * @throws Problem VALIDATION_FAILED (unknown template), QUOTA_EXHAUSTED, QUOTA_EXCEEDED,
     * QUEUE_FULL, IDEMPOTENCY_KEY_REUSED, CONFLICT
     */
    accept,
  }
}

/** @throws Problem QUEUE_FULL: 429 when it is one's own, 503 when it is everybody's */
export function checkQueue(
  { own, all }: QueueCounts,
  userId: string,
  { maxQueued, maxQueuedPerUser }: QueueLimits,
): void {
  if ((own.get(userId) ?? 0) >= maxQueuedPerUser)
    throw new Problem('QUEUE_FULL', { retryAfterSeconds: fullQueueRetrySeconds })
  if (all >= maxQueued)
    throw new Problem('QUEUE_FULL', { status: 503, retryAfterSeconds: fullQueueRetrySeconds })
}

function toRow(brief: Brief) {
  return {
    title: brief.title,
    template: brief.template,
    language: brief.language,
    nSlides: brief.nSlides,
    exportAs: brief.exportAs,
    reviewOutlines: brief.reviewOutlines,
    metadata: brief.metadata,
    outlines: brief.outlines,
    brief: {
      // Upstream wants a text even where the outlines are given.
      content: brief.content ?? (brief.outlines ?? []).join('\n\n'),
      tone: brief.tone,
      verbosity: brief.verbosity,
      instructions: brief.instructions,
      includeTitleSlide: brief.includeTitleSlide,
      includeTableOfContents: brief.includeTableOfContents,
      webSearch: brief.webSearch,
    },
  }
}
