// The dashboard: the user's newest decks from our rows, each with its first slide, which is drawn
// as a small image. First slides are remembered for a deck and its revision.

import type { Queryable } from '../../database/connection.ts'
import { revisionOf } from '../../database/revisions.ts'
import { accountOfUser } from '../../presenton/account.ts'
import type { FirstSlide, FirstSlides } from './first-slides.ts'

/** The one version of decks that the promised interface shows. */
const shownVersion = 'v2-standard'
const maxDecks = 100
/** The interface shows none of it. */
const maxContentChars = 500

interface ListedDeck {
  deckId: string
  title: string | null
  nSlides: number
  language: string
  content: string
  tone: string | null
  verbosity: string | null
  createdAt: Date
  updatedAt: Date
  /** Null before the deck is finished. */
  revision: number | null
}

const selectNewest = `
  select p.presenton_presentation_id as "deckId", title, n_slides as "nSlides", language,
    left(brief->>'content', ${maxContentChars}) as content,
    brief->>'tone' as tone, brief->>'verbosity' as verbosity,
    created_at as "createdAt", updated_at as "updatedAt", ${revisionOf('p')} as revision
  from gateway.presentations p
  where user_id = $1 and account is not null and presenton_presentation_id is not null
  order by created_at desc, id desc limit ${maxDecks}`

export interface ListDecks {
  database: Queryable
  firstSlides: FirstSlides
}

export type ListedRow = Record<string, unknown>

export function createListDecks({ database, firstSlides }: ListDecks) {
  /** In upstream's form; none of another version. */
  return async function listDecks(
    userId: string,
    version: string | undefined,
  ): Promise<ListedRow[]> {
    if (version !== shownVersion) return []
    const decks = await database.query<ListedDeck>(selectNewest, [userId])
    const finished = decks.flatMap(({ deckId, revision }) =>
      revision === null ? [] : [{ deckId, revision }],
    )
    const found = await firstSlides.find(accountOfUser(userId), finished)
    return decks.map((deck) => toRow(deck, found.get(deck.deckId)))
  }
}

function toRow(deck: ListedDeck, first: FirstSlide | undefined): ListedRow {
  return {
    id: deck.deckId,
    version: shownVersion,
    content: deck.content ?? '',
    n_slides: deck.nSlides,
    language: deck.language,
    title: deck.title,
    created_at: inUpstreamForm(deck.createdAt),
    updated_at: inUpstreamForm(deck.updatedAt),
    tone: deck.tone,
    verbosity: deck.verbosity,
    slides: first?.slide ? [first.slide] : [],
    fonts: first?.fonts ?? null,
  }
}

/** UTC with microseconds, and without a zone. */
const inUpstreamForm = (time: Date) => `${time.toISOString().slice(0, -1)}000`
