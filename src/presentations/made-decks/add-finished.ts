// Presentations that are finished from the start: a copy of a deck, and upstream's blank deck. No
// run makes them, so they cost nothing, and their first export makes their first file.

import { randomUUID } from 'node:crypto'
import { maxTitleChars } from '../../contract/brief.ts'
import type { Database } from '../../database/connection.ts'
import { scheduleDeckRemoval } from '../../database/decks.ts'
import { readQuotaBudget } from '../../database/quota-budget.ts'
import type { Quotas } from '../../database/quota-usage.ts'
import { Problem } from '../../domain/problem.ts'
import { accountNameOf, type UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides } from '../../presenton/deck-responses.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'
import type { OwnedPresentation } from '../start-run.ts'
import { lockAdmission } from '../statements/insert.ts'
import { type FinishedBase, findFinishedBase, insertFinished } from './statements.ts'

export interface AddFinishedOptions {
  database: Pick<Database, 'query' | 'transaction'>
  presenton: Pick<Presenton, 'duplicateDeck' | 'createBlankDeck'>
  quotas: Quotas
  defaultTemplate: string
}

export interface AddedDeck {
  id: string
  deckId: string
  /** As upstream returned it, under our title. */
  presentation: Record<string, unknown>
}

interface Request {
  account: UpstreamAccount
  /** Aborts when the caller leaves. What upstream has made by then is kept or removed. */
  signal: AbortSignal
}

export type FinishedCommands = ReturnType<typeof createFinishedCommands>

const blankTitle = 'Untitled Presentation'

export function createFinishedCommands(options: AddFinishedOptions) {
  const { database, presenton, quotas, defaultTemplate } = options
  // Nothing is paid for, so the windows of paid work do not count it.
  const totals = { ...quotas, perHour: 0, perDay: 0, systemPerDay: 0 }

  const checkTotals = (userId: string, slides: number) =>
    database.transaction(async (client) => {
      const budget = await readQuotaBudget(client, new Map([[userId, 1]]), totals)
      budget.check({ userId, slides })
    })

  async function add(
    userId: string,
    base: FinishedBase,
    {
      deckId,
      slides,
      presentation,
      owner,
    }: DeckSlides & { deckId: string; owner: UpstreamAccount },
  ): Promise<AddedDeck> {
    const id = randomUUID()
    const shown = { ...presentation, title: base.title }
    const account = accountNameOf(owner)
    const deck = {
      deckId,
      account,
      slideCount: slides.length,
      shown,
      images: [...findImagePaths(shown)],
    }
    try {
      await database.transaction(async (client) => {
        await client.query(lockAdmission)
        const budget = await readQuotaBudget(client, new Map([[userId, 1]]), totals)
        budget.check({ userId, slides: slides.length })
        await insertFinished(client, { id, userId, base, ...deck })
      })
    } catch (error) {
      const unused = { deckId, presentationId: id, account }
      await scheduleDeckRemoval(database, unused).catch(() => undefined)
      throw error
    }
    return { id, deckId, presentation: shown }
  }

  return {
    /**
     * Copies a finished deck.
     *
     * @throws Problem NOT_FOUND, CONFLICT (not completed), QUOTA_EXHAUSTED, UPSTREAM_…
     */
    async duplicate({ own, account, signal }: Request & { own: OwnedPresentation }) {
      const found = await findFinishedBase(database, own)
      if (!found) throw new Problem('NOT_FOUND')
      const { status, deckId, slidesDone, ...base } = found
      if (status !== 'completed' || deckId === null) throw new Problem('CONFLICT')
      await checkTotals(own.userId, slidesDone)
      const copy = await presenton.duplicateDeck({ account, signal, deckId })
      return add(
        own.userId,
        { ...base, title: titleOfCopy(base.title) },
        { ...copy, owner: account },
      )
    },

    /** @throws Problem QUOTA_EXHAUSTED, NOT_SUPPORTED, UPSTREAM_… */
    async createBlank({ userId, account, signal }: Request & { userId: string }) {
      await checkTotals(userId, 1)
      const blank = await presenton.createBlankDeck({ account, signal })
      const { language } = blank.presentation
      return add(
        userId,
        {
          title: blankTitle,
          template: defaultTemplate,
          language: typeof language === 'string' && language !== '' ? language : 'English',
          exportAs: 'pptx',
          outlines: null,
          brief: blankBrief,
          copyOf: null,
        },
        { ...blank, owner: account },
      )
    },
  }
}

const blankBrief = {
  content: '',
  tone: 'default',
  verbosity: 'standard',
  instructions: null,
  includeTitleSlide: false,
  includeTableOfContents: false,
  webSearch: false,
  usesDefaultTemplate: true,
}

/** As upstream does it, within the length of titles. */
function titleOfCopy(title: string | null): string {
  const suffix = ' (Copy)'
  const base = [...(title ?? blankTitle)].slice(0, maxTitleChars - suffix.length).join('')
  return `${base}${suffix}`
}
