// Changes of the slides of a finished deck. Where one slide can be stored by itself, the others are
// not sent; otherwise upstream replaces all slides. Each write may be repeated.

import type { CallOptions } from './account.ts'
import { blankSlide } from './blank-slide.ts'
import type { Calls } from './calls.ts'
import { type DeckSlides, parseDeck, type UpstreamSlide } from './deck-responses.ts'
import type { DeckCall } from './decks.ts'
import { type Features, paths } from './dialect.ts'
import type { PerformOperation } from './operation.ts'

export interface DeckWrite extends DeckCall {
  /** All slides, in their order. Their indexes and decks are set here. */
  slides: UpstreamSlide[]
  /** Only this slide differs from what upstream has. */
  changedIndex?: number | undefined
  /** Versions delete a theme that a write does not name; undefined where it is not known. */
  theme: unknown
  /** Set if it changes. */
  slideCount?: number | undefined
}

interface DeckWritesOptions {
  calls: Calls
  perform: PerformOperation
  timeouts: { createMs: number }
}

export function createDeckWrites({ calls, perform, timeouts }: DeckWritesOptions) {
  const deckCall = ({ account, signal }: CallOptions, { auth }: Features) =>
    ({ account, signal, auth, routeKind: 'deck', timeoutMs: timeouts.createMs }) as const

  const readDeck = async (options: DeckCall, features: Features) =>
    parseDeck(
      await calls.fetchJson({ ...deckCall(options, features), path: paths.deck(options.deckId) }),
    )

  async function saveOne(options: DeckWrite, slide: UpstreamSlide, features: Features) {
    await calls.send({
      ...deckCall(options, features),
      method: 'PATCH',
      path: paths.slideUpdate,
      json: { slide },
    })
    return readDeck(options, features)
  }

  async function saveAll(options: DeckWrite, slides: UpstreamSlide[], features: Features) {
    const { deckId, theme, slideCount } = options
    const response = parseDeck(
      await calls.fetchJson({
        ...deckCall(options, features),
        method: 'PATCH',
        path: paths.update,
        json: {
          id: deckId,
          slides,
          ...(slideCount !== undefined && { n_slides: slideCount }),
          ...(theme !== undefined && { theme }),
        },
      }),
    )
    return response.slides.length === slides.length ? response : readDeck(options, features)
  }

  return {
    /** Writes the slides, and returns the deck as upstream then has it. */
    writeSlides: (options: DeckWrite): Promise<DeckSlides> =>
      perform({ operation: 'save', signal: options.signal }, (features) => {
        const slides = options.slides.map((slide, index) => ({
          ...slide,
          index,
          presentation: options.deckId,
        }))
        const changed = slides[options.changedIndex ?? -1]
        return changed && features.hasSlideUpdate
          ? saveOne(options, changed, features)
          : saveAll(options, slides, features)
      }),

    /** The members of upstream's blank slide; undefined where it has none. */
    findBlankSlide: ({ signal }: CallOptions): Promise<typeof blankSlide | undefined> =>
      perform({ operation: 'capabilities', signal }, async ({ hasBlankSlide }) =>
        hasBlankSlide ? blankSlide : undefined,
      ),
  }
}
