// Creates, prepares, reads and deletes decks. Nothing is repeated here unless upstream has shown
// that it did nothing: after a refused login, or on a route of another version.

import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import {
  type DeckSlides,
  parseCreatedDeck,
  parseDeck,
  parseNewDeck,
  parseOutlines,
} from './deck-responses.ts'
import { createBody, type DeckBrief, type Features, paths } from './dialect.ts'
import { rejected } from './failures.ts'
import type { PerformOperation } from './operation.ts'
import { asLostFiles } from './source-uploads.ts'
import type { Templates } from './templates.ts'

export interface DeckCall extends CallOptions {
  deckId: string
}

export interface DeckTitles {
  /**
   * Short, ASCII, with a UUID, and new for each attempt: an abandoned export still writes its file,
   * which may be named after the title.
   */
  title: string
  /** What people see in upstream, before and after an export. By default the deck keeps `title`. */
  shownTitle?: string | undefined
}

interface DecksOptions {
  calls: Calls
  perform: PerformOperation
  templates: Templates
  /** The title that a deck of these features gets in `prepare`. */
  titleForPrepare: (titles: DeckTitles, features: Features) => string
  timeouts: { createMs: number; prepareMs: number }
}

/** A deck that upstream has lost never comes back; any other error unchanged. */
export function deckGone(error: unknown): unknown {
  return error instanceof Problem && error.failure === 'gone'
    ? rejected('The deck no longer exists there.', error.cause)
    : error
}

export function createDecks({
  calls,
  perform,
  templates,
  titleForPrepare,
  timeouts,
}: DecksOptions) {
  const deckCall = ({ account, signal }: CallOptions, { auth }: Features) =>
    ({ account, signal, auth, routeKind: 'deck', timeoutMs: timeouts.createMs }) as const

  return {
    /** Not idempotent: each call creates a deck. `created` is its row as upstream returns it. */
    createDeck: (
      options: CallOptions & { brief: DeckBrief },
    ): Promise<{ deckId: string; created: Record<string, unknown> }> =>
      perform({ operation: 'create', signal: options.signal }, async (features) =>
        parseCreatedDeck(
          await calls
            .fetchJson({
              ...deckCall(options, features),
              routeKind: 'other',
              isCheap: true,
              method: 'POST',
              path: paths.create,
              json: createBody(options.brief, features),
            })
            .catch((error: unknown) => {
              throw asLostFiles(error)
            }),
        ),
      ),

    /** Gives the deck its outlines, its title and its layouts, which upstream's model chooses. */
    prepareDeck: (
      options: DeckCall & DeckTitles & { outlines: string[]; templateId: string },
    ): Promise<void> =>
      perform({ operation: 'prepare', signal: options.signal }, async (features) => {
        const { account, signal, deckId, outlines, templateId } = options
        const template = { account, signal, features, templateId }
        const layout = await templates.layoutForPrepare({
          ...template,
          outlineCount: outlines.length,
        })
        const call = {
          ...deckCall(options, features),
          routeKind: 'prepare',
          method: 'POST',
          path: paths.prepare,
          json: {
            presentation_id: deckId,
            outlines: outlines.map((content) => ({ content })),
            title: titleForPrepare(options, features),
            layout,
          },
          timeoutMs: timeouts.prepareMs,
          isSlow: true,
          isPaid: true,
        } as const
        await calls.send(call).catch(async (error: unknown) => {
          throw await templates.failureOfPrepare(template, error)
        })
      }),

    readDeck: (options: DeckCall): Promise<DeckSlides> =>
      perform({ operation: 'read', signal: options.signal }, async (features) =>
        parseDeck(
          await calls.fetchJson({
            ...deckCall(options, features),
            path: paths.deck(options.deckId),
          }),
        ),
      ),

    /** Not idempotent: each call makes a copy, with slides of its own. */
    duplicateDeck: (options: DeckCall): Promise<DeckSlides & { deckId: string }> =>
      perform({ operation: 'duplicate', signal: options.signal }, async (features) =>
        parseNewDeck(
          await calls.fetchJson({
            ...deckCall(options, features),
            method: 'POST',
            path: paths.duplicate(options.deckId),
          }),
        ),
      ),

    /** The outlines as upstream has them. */
    readOutlines: (options: DeckCall): Promise<string[]> =>
      perform({ operation: 'read', signal: options.signal }, async (features) =>
        parseOutlines(
          await calls.fetchJson({
            ...deckCall(options, features),
            path: paths.outlines(options.deckId),
          }),
        ),
      ),

    /** May be repeated. */
    writeOutlines: (options: DeckCall & { outlines: string[] }): Promise<void> =>
      perform({ operation: 'save', signal: options.signal }, async (features) => {
        await calls.send({
          ...deckCall(options, features),
          method: 'PUT',
          path: paths.outlines(options.deckId),
          json: { slides: options.outlines.map((content) => ({ content })) },
        })
      }),

    /**
     * A deck with upstream's blank slide. Not idempotent.
     *
     * @throws Problem NOT_SUPPORTED where upstream has none
     */
    createBlankDeck: (options: CallOptions): Promise<DeckSlides & { deckId: string }> =>
      perform({ operation: 'create', signal: options.signal }, async (features) => {
        if (!features.hasBlankSlide) throw new Problem('NOT_SUPPORTED', { failure: 'final' })
        return parseNewDeck(
          await calls.fetchJson({
            ...deckCall(options, features),
            routeKind: 'other',
            isCheap: true,
            method: 'POST',
            path: paths.createBlank,
          }),
        )
      }),

    /** Succeeds as well if the deck no longer exists. */
    deleteDeck: (options: DeckCall): Promise<void> =>
      perform({ operation: 'delete', signal: options.signal }, async (features) => {
        await calls.send({
          ...deckCall(options, features),
          method: 'DELETE',
          path: paths.deck(options.deckId),
          expectedStatuses: [404],
        })
      }),
  }
}
