// Decides about the briefs of a batch, in the transaction that inserts the accepted ones: which are
// accepted, which get the presentation of a twin, and which are refused.

import { randomUUID } from 'node:crypto'
import type { Origin } from '../contract/presentation.ts'
import type { Queryable } from '../database/connection.ts'
import type { IdempotentRequest } from '../database/idempotency-keys.ts'
import { readQuotaBudget } from '../database/quota-budget.ts'
import type { Quotas } from '../database/quota-usage.ts'
import type { StoredResponse } from '../database/schema/users.ts'
import { Problem } from '../domain/problem.ts'
import { checkQueue, type QueueLimits } from './check-queue.ts'
import { checkSources, readBriefSources } from './check-sources.ts'
import { checkTemplate } from './check-template.ts'
import type { Brief } from './read-brief.ts'
import { countQueued, type NewPresentation } from './statements/insert.ts'
import type { PresentationRow } from './statements/queries.ts'
import { findTwins, type TwinKey } from './statements/twins.ts'

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
export type DigestedRequest = BriefRequest & { briefDigest: string; requestTrace: string | null }

export interface JudgeOptions {
  queue: QueueLimits
  quotas: Quotas
  /** Ids of upstream's templates while they are known, else undefined. */
  knownTemplates: (userId: string) => ReadonlySet<string> | undefined
  /** The content types of sources that upstream takes while that is known, else undefined. */
  knownSourceTypes?: () => readonly string[] | undefined
}

/** What becomes of the requests of a batch. */
export interface Verdicts {
  inputs: Map<BriefRequest, NewPresentation>
  idsOfTwins: Map<BriefRequest, string>
  refusals: Map<BriefRequest, Problem>
}

export function createJudgeBriefs(options: JudgeOptions) {
  const { queue, quotas, knownTemplates, knownSourceTypes = () => undefined } = options

  /** Checks each request as if all earlier ones were inserted. */
  return async function judgeBriefs(
    client: Queryable,
    requests: DigestedRequest[],
  ): Promise<Verdicts> {
    const users = new Map<string, number>()
    for (const { userId } of requests) users.set(userId, (users.get(userId) ?? 0) + 1)
    const budget = await readQuotaBudget(client, users, quotas)
    const counts = await countQueued(client, [...users.keys()])
    const twins = await openTwins(client, requests)
    const briefs = requests.map(({ brief }) => brief)
    const known = await readBriefSources(client, briefs)
    const takenTypes = knownSourceTypes()

    /** @throws Problem */
    function checkOne(request: DigestedRequest): NewPresentation {
      const { userId, brief, briefDigest, requestTrace } = request
      // A missing default is the operator's mistake, which may be corrected before the run starts.
      if (!request.usesDefaultTemplate) checkTemplate(brief.template, knownTemplates(userId))
      const sources = checkSources(brief.sources, { userId, known, takenTypes })
      budget.check({ userId, slides: brief.nSlides })
      checkQueue(counts, userId, queue)
      const id = randomUUID()
      return { ...toRow(request), id, userId, briefDigest, requestTrace, sources }
    }

    function count({ userId, brief }: DigestedRequest): void {
      budget.take({ userId, slides: brief.nSlides })
      counts.all += 1
      counts.own.set(userId, (counts.own.get(userId) ?? 0) + 1)
    }

    const verdicts: Verdicts = { inputs: new Map(), idsOfTwins: new Map(), refusals: new Map() }
    for (const request of requests) {
      const twin = request.respondWithTwin && twins.find(request)
      if (twin) {
        verdicts.idsOfTwins.set(request, twin)
        continue
      }
      try {
        const input = checkOne(request)
        verdicts.inputs.set(request, input)
        twins.add(request, input.id)
        count(request)
      } catch (error) {
        if (!(error instanceof Problem)) throw error
        verdicts.refusals.set(request, error)
      }
    }
    return verdicts
  }
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
    title: brief.title,
    template: brief.template,
    language: brief.language,
    nSlides: brief.nSlides,
    exportAs: brief.exportAs,
    metadata: brief.metadata,
    reviewOutlines: brief.reviewOutlines,
    outlines: brief.outlines,
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
