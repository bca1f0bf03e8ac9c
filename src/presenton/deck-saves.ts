// Saves of upstream's own interface: one slide, or the whole deck. What upstream answers is kept
// whole, because the interface expects it. Each save may be repeated.

import type { Calls } from './calls.ts'
import { type DeckSlides, parseDeck, parseSlide, type UpstreamSlide } from './deck-responses.ts'
import type { DeckCall } from './decks.ts'
import { paths } from './dialect.ts'
import type { PerformOperation } from './operation.ts'

export interface SlideSave extends DeckCall {
  slide: Record<string, unknown>
}

export interface DeckSave extends DeckCall {
  /** In their order; none leaves the slides as they are. */
  slides: Record<string, unknown>[]
  /** Versions delete a theme that a save does not name. */
  theme: unknown
  /** Set if it changes. */
  slideCount?: number | undefined
}

interface DeckSavesOptions {
  calls: Calls
  perform: PerformOperation
  timeouts: { createMs: number }
}

export function createDeckSaves({ calls, perform, timeouts: { createMs } }: DeckSavesOptions) {
  const save = ({ account, signal }: DeckCall, path: string, json: object) =>
    perform({ operation: 'save', signal }, ({ auth }) =>
      calls.fetchJson({
        account,
        signal,
        auth,
        routeKind: 'deck',
        timeoutMs: createMs,
        method: 'PATCH',
        path,
        json,
        isRepeatable: true,
      }),
    )

  return {
    /** Replaces all members of a slide but its id, its place and its deck. */
    saveSlide: async (options: SlideSave): Promise<UpstreamSlide> =>
      parseSlide(
        await save(options, paths.slideUpdate, {
          slide: { ...options.slide, presentation: options.deckId },
        }),
      ),

    /** Replaces all slides. Without any it returns the deck without its slides. */
    async saveDeck(options: DeckSave): Promise<DeckSlides> {
      const { deckId, slides, theme, slideCount } = options
      return parseDeck(
        await save(options, paths.update, {
          id: deckId,
          ...(slideCount !== undefined && { n_slides: slideCount }),
          ...(theme !== undefined && { theme }),
          ...(slides.length > 0 && {
            slides: slides.map((slide, index) => ({ ...slide, index, presentation: deckId })),
          }),
        }),
      )
    },
  }
}
