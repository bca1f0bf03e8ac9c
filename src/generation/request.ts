// Accepts a brief: its row, its log's first event and the answer to its Idempotency-Key in one transaction. Upstream is not
// asked anything: a brief is taken whatever state the generator is in.
import { randomUUID } from 'node:crypto'
import type { Database } from '../database/connection.ts'
import { type Answer, answerOnce, type IdempotentRequest } from '../database/idempotency.ts'
import { countQueued, insertPresentation, lockIntake } from '../database/intake.ts'
import { type Quotas, reserve } from '../database/ledger.ts'
import { type PresentationRow, readPresentation } from '../database/presentations.ts'
import type { Wakes } from '../database/wakes.ts'
import type { Brief } from '../domain/brief.ts'
import { encodeEvent } from '../domain/event.ts'
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
  /**
   * Takes the brief in, or gives the first answer again.
   * @throws Problem VALIDATION_FAILED (unknown template), QUOTA_EXHAUSTED, QUOTA_EXCEEDED, QUEUE_FULL, IDEMPOTENCY_KEY_REUSED, CONFLICT
   */
  async function accept({ userId, brief, idempotency, answer }: Request): Promise<Answer & { replayed: boolean }> {
    const id = randomUUID()
    const given = await answerOnce(database, idempotency && { ...idempotency, userId }, async (client) => {
      checkTemplate(brief)
      await lockIntake(client)
      await reserve(client, { userId, presentationId: id, slides: brief.nSlides }, quotas)
      checkQueue(await countQueued(client, userId), queue)
      await insertPresentation(client, { ...toRow(brief), id, userId }, (position) =>
        encodeEvent('queued', { position }, { run: 1 }),
      )
      return answer(await readPresentation(client, id))
    })
    if (!given.replayed) {
      wakes.queue()
      wakes.events(id, 1)
    }
    return given
  }

  function checkTemplate({ template }: Brief) {
    const known = knownTemplates()
    // Templates that users made themselves are not in every list.
    if (!known || known.has(template) || template.startsWith('custom-')) return
    throw new Problem('VALIDATION_FAILED', { errors: [{ path: '/template', message: 'is not a template of the generator' }] })
  }

  return { accept }
}

/** @throws Problem QUEUE_FULL: 429 when it is one's own, 503 when it is everybody's */
export function checkQueue(queued: { own: number; all: number }, { maxQueued, maxQueuedPerUser }: QueueBounds): void {
  if (queued.own >= maxQueuedPerUser) throw new Problem('QUEUE_FULL', { retryAfterSeconds: fullQueueRetrySeconds })
  if (queued.all >= maxQueued) throw new Problem('QUEUE_FULL', { status: 503, retryAfterSeconds: fullQueueRetrySeconds })
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
