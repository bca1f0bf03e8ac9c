// What can be done with a deck, in upstream's words: created, outlined, prepared, filled with
// slides, read, exported, deleted. None of it is repeated here, save where upstream has shown that
// it did nothing: a refused login, or a route of another version.

import type { CallMetrics } from './call-metrics.ts'
import {
  type DeckSlides,
  parseCreated,
  parseDeck,
  parseExported,
  parseOutlineList,
  readDeckId,
  readOutlines,
  readSlides,
} from './deck-parts.ts'
import {
  createBody,
  type Deck,
  exportCall,
  type Features,
  type FileFormat,
  namesFilesByTitle,
  paths,
} from './dialect.ts'
import { type Call, type Exchange, parseJson } from './exchange.ts'
import { fault } from './failures.ts'
import type { Message } from './messages.ts'
import type { Probe } from './probe.ts'
import { readStream } from './stream.ts'
import type { Templates } from './templates.ts'

export interface Timeouts {
  /** For calls that only touch upstream's database. */
  createMs: number
  prepareMs: number
  exportMs: number
  /** Without one byte from upstream. */
  stallMs: number
  /** For a whole stream. */
  streamMs: number
}

/** Where trouble in a stream is told of. */
export interface StreamLogger {
  warn(fields: object, message: string): void
}

interface DecksOptions {
  exchange: Exchange
  probe: Probe
  templates: Templates
  timeouts: Timeouts
  maxMessageBytes: number
  observe: CallMetrics
  /** For streams whose caller gives none. */
  logger: StreamLogger
}

export function createDecks({
  exchange,
  probe,
  templates,
  timeouts,
  maxMessageBytes,
  observe,
  logger,
}: DecksOptions) {
  const call = (
    { auth }: Features,
    path: string,
    signal: AbortSignal,
    more: Partial<Call> = {},
  ): Call => ({
    subject: 'deck',
    path,
    auth,
    timeoutMs: timeouts.createMs,
    signal,
    ...more,
  })

  interface Stream {
    operation: string
    deckId: string
    path: string
    signal: AbortSignal
    logger: StreamLogger | undefined
    read(complete: Message): unknown
  }

  async function* stream({
    operation,
    deckId,
    path,
    signal,
    read,
    ...given
  }: Stream): AsyncGenerator<Message[]> {
    const onTrouble = (trouble: { dropped: string } | { reported: string }) =>
      (given.logger ?? logger).warn({ operation, ...trouble }, 'trouble in a stream of Presenton')
    function check(complete: Message): void {
      read(complete)
      if ((readDeckId(complete) ?? deckId) !== deckId) throw fault('complete of another deck')
    }
    const opened = await probe.speak(signal, (features) =>
      exchange.open(
        call(features, path, signal, { timeoutMs: timeouts.streamMs }),
        timeouts.stallMs,
      ),
    )
    try {
      const kind = opened.headers['content-type']
      if (typeof kind === 'string' && !kind.startsWith('text/event-stream'))
        throw fault('the answer is no event stream')
      yield* readStream(opened.chunks(), { maxMessageBytes, check, onTrouble })
    } finally {
      opened.end()
    }
  }

  return {
    createDeck: (deck: Deck, signal: AbortSignal): Promise<{ deckId: string }> =>
      observe.call('create', () =>
        probe.speak(signal, async (features) => {
          const json = createBody(deck, features)
          return parseCreated(
            parseJson(
              await exchange.send(
                call(features, paths.create, signal, { subject: 'other', method: 'POST', json }),
              ),
            ),
          )
        }),
      ),

    /**
     * Every start is paid for and writes the outlines anew. What is amiss in it is told to
     * `logger`. Ends after the first `complete`; see `readOutlines`.
     */
    streamOutlines: (
      deckId: string,
      signal: AbortSignal,
      logger?: StreamLogger,
    ): AsyncGenerator<Message[]> =>
      observe.stream(
        'outlines',
        stream({
          operation: 'outlines',
          deckId,
          path: paths.outlinesStream(deckId),
          signal,
          logger,
          read: readOutlines,
        }),
      ),

    /** Every start is paid for. Ends after the first `complete`; see `readSlides`. */
    streamSlides: (
      deckId: string,
      signal: AbortSignal,
      logger?: StreamLogger,
    ): AsyncGenerator<Message[]> =>
      observe.stream(
        'slides',
        stream({
          operation: 'slides',
          deckId,
          path: paths.slidesStream(deckId),
          signal,
          logger,
          read: readSlides,
        }),
      ),

    /**
     * Outlines that an interrupted run may have left; undefined where there are none, or upstream
     * cannot say.
     */
    findOutlines: (deckId: string, signal: AbortSignal): Promise<string[] | undefined> =>
      observe.call('read', () =>
        probe.speak(signal, async (features) => {
          if (!features.outlinesReadable) return undefined
          return parseOutlineList(
            parseJson(await exchange.send(call(features, paths.outlines(deckId), signal))),
          )
        }),
      ),

    /** Gives the deck its outlines, its title and its layouts, which a model picks. */
    prepareDeck: (
      deck: { deckId: string; outlines: string[]; title: string; template: string },
      signal: AbortSignal,
    ): Promise<void> =>
      observe.call('prepare', () =>
        probe.speak(signal, async (features) => {
          const layout = await templates.forPrepare(
            deck.template,
            deck.outlines.length,
            features,
            signal,
          )
          const json = {
            presentation_id: deck.deckId,
            outlines: deck.outlines.map((content) => ({ content })),
            title: deck.title,
            layout,
          }
          const more = {
            subject: 'prepare',
            method: 'POST',
            json,
            timeoutMs: timeouts.prepareMs,
            slow: true,
          } as const
          await exchange.send(call(features, paths.prepare, signal, more))
        }),
      ),

    readDeck: (deckId: string, signal: AbortSignal): Promise<DeckSlides> =>
      observe.call('read', () =>
        probe.speak(signal, async (features) =>
          parseDeck(parseJson(await exchange.send(call(features, paths.deck(deckId), signal)))),
        ),
      ),

    /**
     * `title` is to be short, ASCII and new for each attempt: an export that was given up still
     * writes its file, which may bear it.
     */
    exportDeck: (
      deck: { deckId: string; format: FileFormat; title: string },
      signal: AbortSignal,
    ): Promise<{ path: string }> =>
      observe.call('export', () =>
        probe.speak(signal, async (features) => {
          if (namesFilesByTitle(features)) {
            await exchange.send(
              call(features, paths.update, signal, {
                method: 'PATCH',
                json: { id: deck.deckId, title: deck.title },
              }),
            )
          }
          const request = {
            method: 'POST',
            timeoutMs: timeouts.exportMs,
            slow: true,
            ...exportCall(deck.deckId, deck.format, features),
          } as const
          return parseExported(
            parseJson(await exchange.send(call(features, request.path, signal, request))),
          )
        }),
      ),

    /** One that is not there any more is deleted. */
    deleteDeck: (deckId: string, signal: AbortSignal): Promise<void> =>
      observe.call('delete', () =>
        probe.speak(signal, async (features) => {
          await exchange.send(
            call(features, paths.deck(deckId), signal, { method: 'DELETE', expect: [404] }),
          )
        }),
      ),
  }
}
