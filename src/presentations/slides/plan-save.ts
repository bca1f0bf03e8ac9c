// What a save of upstream's interface does to a deck as it is known, and how one recognises it in a
// deck that is read after its answer was lost.

import { isDeepStrictEqual } from 'node:util'
import { Problem } from '../../domain/problem.ts'
import type { UpstreamAccount } from '../../presenton/account.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { DeckSlides, UpstreamSlide } from '../../presenton/deck-responses.ts'
import { slideDigest, slideDigests } from '../../presenton/slide-digest.ts'
import { idsOf, type KnownDeck } from './known-decks.ts'

/** Members of a slide as the interface sends them, without what is never passed on. */
export type SavedSlide = Record<string, unknown> & { id: string }

export type Save =
  | { kind: 'slide'; slide: SavedSlide }
  | { kind: 'theme'; theme: Record<string, unknown> }
  | {
      kind: 'deck'
      slides: SavedSlide[]
      /** Undefined: it stays. */
      theme: unknown
      /** It names the deck by the id of one that the present deck has replaced. */
      isOfEarlierDeck: boolean
    }

/** What upstream has after a save. */
export interface Saved {
  ids: string[]
  digests: string[]
  /** In upstream's form. */
  response: Record<string, unknown>
}

export interface Call {
  account: UpstreamAccount
  signal: AbortSignal
  deckId: string
}

export interface PlannedSave {
  write: (presenton: Pick<Presenton, 'saveSlide' | 'saveDeck'>, call: Call) => Promise<Saved>
  /** Undefined: upstream has not stored the save. */
  find: (deck: DeckSlides) => Saved | undefined
  /** Set if the save adds slides. */
  grownTo?: number
  /** Set if their number changes. */
  slideCount?: number
  /** The theme becomes another one, in which the files do not show the deck. */
  isOtherTheme?: boolean
  /** It names slides that the deck does not have. */
  addsIds?: boolean
}

/**
 * @throws Problem NOT_FOUND (a slide that the deck does not have), CONFLICT (the slides are those
 * of an earlier deck)
 */
export function planSave(save: Save, known: KnownDeck): PlannedSave {
  if (save.kind === 'slide') return planSlide(save.slide, known)
  return save.kind === 'theme' ? planTheme(save.theme, known) : planDeck(save, known)
}

function planTheme(
  theme: Record<string, unknown>,
  { ids, digests, ...known }: KnownDeck,
): PlannedSave {
  const saved = ({ presentation }: Pick<DeckSlides, 'presentation'>): Saved => ({
    ids,
    digests,
    response: { ...presentation, slides: [] },
  })
  return {
    isOtherTheme: !isDeepStrictEqual(theme, known.theme),
    write: async (presenton, call) =>
      saved(await presenton.saveDeck({ ...call, slides: [], theme })),
    find: (deck) => (isDeepStrictEqual(deck.presentation.theme, theme) ? saved(deck) : undefined),
  }
}

function planSlide(slide: SavedSlide, { ids, digests }: KnownDeck): PlannedSave {
  const index = ids.indexOf(slide.id)
  if (index < 0) throw new Problem('NOT_FOUND')
  const saved = (response: UpstreamSlide): Saved => ({
    ids,
    digests: digests.with(index, slideDigest(response)),
    response,
  })
  return {
    write: async (presenton, call) => saved(await presenton.saveSlide({ ...call, slide })),
    find(deck) {
      const found = deck.slides.find(({ id }) => id === slide.id)
      if (!found || slideDigest(found) !== slideDigest({ ...slide, index })) return undefined
      return { ids: idsOf(deck), digests: slideDigests(deck), response: found }
    },
  }
}

function planDeck(
  { slides, theme, isOfEarlierDeck }: Save & { kind: 'deck' },
  known: KnownDeck,
): PlannedSave {
  // An editor that was open when the deck was made again would bring the old one back.
  if (isOfEarlierDeck && !slides.some(({ id }) => known.ids.includes(id)))
    throw new Problem('CONFLICT')
  const slideCount = slides.length
  const isResized = slideCount !== known.ids.length
  const isOtherTheme = theme !== undefined && !isDeepStrictEqual(theme, known.theme)
  const sent = slides.map((slide, index) => ({ ...slide, index }))
  const saved = (deck: DeckSlides): Saved => ({
    ids: idsOf(deck),
    digests: slideDigests(deck),
    response: { ...deck.presentation, slides: deck.slides },
  })
  return {
    ...(slideCount > known.ids.length && { grownTo: slideCount }),
    ...(isResized && { slideCount }),
    isOtherTheme,
    addsIds: slides.some(({ id }) => !known.ids.includes(id)),
    async write(presenton, call) {
      const deck = await presenton.saveDeck({
        ...call,
        slides,
        theme: theme ?? known.theme,
        ...(isResized && { slideCount }),
      })
      // An answer that shows other slides than were sent says nothing of the deck.
      return idsOf(deck).join() === slides.map(({ id }) => id).join()
        ? saved(deck)
        : saved({ presentation: deck.presentation, slides: sent })
    },
    find(deck) {
      const digests = slideDigests(deck).join()
      const { theme: shown } = deck.presentation
      // Where a version does not show the theme, the slides that were stored with it tell.
      const hasTheme =
        shown === undefined
          ? !isOtherTheme || digests !== known.digests.join()
          : theme === undefined || isDeepStrictEqual(shown, theme)
      const isStored =
        hasTheme &&
        idsOf(deck).join() === idsOf({ slides: sent }).join() &&
        digests === slideDigests({ slides: sent }).join()
      return isStored ? saved(deck) : undefined
    },
  }
}
