// Accepts a brief: its row, its log's first event and the answer to its Idempotency-Key in one transaction. Upstream is not
// asked anything: a brief is taken whatever state the generator is in.
import { randomUUID } from 'node:crypto'
import type { Database, Queryable } from '../database/connection.ts'
import {
  type Answer,
  answerEach,
  type Given,
  type IdempotentRequest,
  idOf,
  underWay,
  waitSeconds,
} from '../database/idempotency.ts'
import { countQueued, insertPresentations, lockIntake, type NewPresentation, type Queued } from '../database/intake.ts'
import { type Quotas, readRoom } from '../database/ledger.ts'
import type { PresentationRow } from '../database/presentations.ts'
import type { Wakes } from '../database/wakes.ts'
import type { Brief } from '../domain/brief.ts'
import { sleep } from '../domain/deadline.ts'
import { encodeEvent } from '../domain/event.ts'
import { createGroups } from '../domain/groups.ts'
import { Problem } from '../domain/problem.ts'

export interface QueueBounds {
  maxQueued: number
  maxQueuedPerUser: number
}

export interface IntakeOptions {
  database: Pick<Database, 'transaction'>
  wakes: Pick<Wakes, 'queue' | 'events'>
  queue: QueueBounds
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: () => ReadonlySet<string> | undefined
}

export interface Request {
  userId: string
  brief: Brief
  idempotency?: Omit<IdempotentRequest, 'userId'> | undefined
  /** What the caller is told of the new row; kept for repeats of its key. */
  answer: (row: PresentationRow) => Answer
}

export type Intake = ReturnType<typeof createIntake>

// Until a slot is free nothing moves in the queue; about how long a run takes is a fair time to come back after.
const fullQueueRetrySeconds = 30

export function createIntake({ database, wakes, queue, quotas, knownTemplates }: IntakeOptions) {
  // One transaction, one lock and one fsync for all that come while the one before is under way.
  const groups = createGroups<Request, Answer & { replayed: boolean }>({ work: acceptAll })

  async function acceptAll(requests: Request[]): Promise<Given[]> {
    const keyed = requests.map(({ userId, idempotency }) => idempotency && { ...idempotency, userId })
    const ids: string[] = []
    const given = await database.transaction((client) =>
      answerEach(client, keyed, async (places) => {
        const taken = await takeIn(
          client,
          places.flatMap((place) => requests[place] ?? []),
        )
        ids.push(...taken.ids)
        return taken.answers
      }),
    )
    if (ids.length > 0) wakes.queue()
    for (const id of ids) wakes.events(id, 1)
    return given
  }

  const firsts = new Map<string, Promise<unknown>>()

  /** Who repeats a key waits here for the first: the group that holds it may hang, and those behind it are told something else. */
  async function accept(request: Request): Promise<Answer & { replayed: boolean }> {
    const { userId, idempotency } = request
    if (!idempotency) return groups.add(request)
    const name = idOf({ ...idempotency, userId })
    const patience = new AbortController()
    const tooLate = sleep(waitSeconds * 1000, patience.signal).then(() => Promise.reject(underWay()))
    tooLate.catch(() => undefined)
    try {
      for (let first = firsts.get(name); first; first = firsts.get(name)) await Promise.race([first, tooLate])
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
  async function takeIn(client: Queryable, requests: Request[]): Promise<{ ids: string[]; answers: (Answer | Problem)[] }> {
    await lockIntake(client)
    const users = new Map<string, number>()
    for (const { userId } of requests) users.set(userId, (users.get(userId) ?? 0) + 1)
    const room = await readRoom(client, users, quotas)
    const queued = await countQueued(client, [...users.keys()])

    const refusals = new Map<Request, Problem>()
    const inputs = new Map<Request, NewPresentation>()
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

    const firstEvent = encodeEvent('queued', { position: 0 }, { run: 1 })
    const rows = inputs.size > 0 ? await insertPresentations(client, [...inputs.values()], firstEvent) : []
    const made = new Map(rows.map((row) => [row.id, row]))
    const answers = requests.map((request) => {
      const row = made.get(inputs.get(request)?.id ?? '')
      return row ? request.answer(row) : (refusals.get(request) ?? new Problem('INTERNAL_ERROR'))
    })
    return { ids: [...made.keys()], answers }
  }

  function checkTemplate({ template }: Brief) {
    const known = knownTemplates()
    // Templates that users made themselves are not in every list.
    if (!known || known.has(template) || template.startsWith('custom-')) return
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/template', message: 'is not a template of the generator' }] })
  }

  return {
    /**
     * Takes the brief in, or gives the first answer again.
     * @throws Problem VALIDATION_FAILED (unknown template), QUOTA_EXHAUSTED, QUOTA_EXCEEDED, QUEUE_FULL, IDEMPOTENCY_KEY_REUSED, CONFLICT
     */
    accept,
  }
}

/** @throws Problem QUEUE_FULL: 429 when it is one's own, 503 when it is everybody's */
export function checkQueue({ own, all }: Queued, userId: string, { maxQueued, maxQueuedPerUser }: QueueBounds): void {
  if ((own.get(userId) ?? 0) >= maxQueuedPerUser) throw new Problem('QUEUE_FULL', { retryAfterSeconds: fullQueueRetrySeconds })
  if (all >= maxQueued) throw new Problem('QUEUE_FULL', { status: 503, retryAfterSeconds: fullQueueRetrySeconds })
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
