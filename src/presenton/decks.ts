// What can be done with a deck, in upstream's words: created, outlined, prepared, filled with
// slides, read, exported, deleted. None of it is repeated here, save where upstream has shown that
// it did nothing: a refused login, or a route of another version.

import type { CallOptions } from './account.ts'
import type { CallMetrics } from './call-metrics.ts'
import {
  type DeckSlides,
  parseCompletedOutlines,
  parseCompletedSlides,
  parseCreated,
  parseDeck,
  parseExported,
  parseOutlineList,
  readDeckId,
} from './deck-responses.ts'
import {
  createBody,
  type DeckBrief,
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

export interface DeckCall extends CallOptions {
  deckId: string
}

export interface StreamCall extends DeckCall {
  /** Gets what is wrong in the stream; the client's own logger without it. */
  logger?: StreamLogger
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
    { account, signal }: CallOptions,
    { auth }: Features,
    path: string,
    more: Partial<Call> = {},
  ): Call => ({
    account,
    subject: 'deck',
    path,
    auth,
    timeoutMs: timeouts.createMs,
    signal,
    ...more,
  })

  interface Stream extends StreamCall {
    operation: string
    path: string
    read(complete: Message): unknown
  }

  async function* stream({ operation, path, read, ...given }: Stream): AsyncGenerator<Message[]> {
    const onTrouble = (trouble: { dropped: string } | { reported: string }) =>
      (given.logger ?? logger).warn({ operation, ...trouble }, 'trouble in a stream of Presenton')
    function check(complete: Message): void {
      read(complete)
      if ((readDeckId(complete) ?? given.deckId) !== given.deckId)
        throw fault('complete of another deck')
    }
    const opened = await probe.speak(given.signal, (features) =>
      exchange.open(
        call(given, features, path, { timeoutMs: timeouts.streamMs }),
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
    createDeck: (given: CallOptions & { brief: DeckBrief }): Promise<{ deckId: string }> =>
      observe.call('create', () =>
        probe.speak(given.signal, async (features) => {
          const json = createBody(given.brief, features)
          return parseCreated(
            parseJson(
              await exchange.send(
                call(given, features, paths.create, { subject: 'other', method: 'POST', json }),
              ),
            ),
          )
        }),
      ),

    /**
     * Every start is paid for and writes the outlines anew. What is amiss in it is told to
     * `logger`. Ends after the first `complete`; see `readOutlines`.
     */
    streamOutlines: (given: StreamCall): AsyncGenerator<Message[]> =>
      observe.stream(
        'outlines',
        stream({
          ...given,
          operation: 'outlines',
          path: paths.outlinesStream(given.deckId),
          read: parseCompletedOutlines,
        }),
      ),

    /** Every start is paid for. Ends after the first `complete`; see `readSlides`. */
    streamSlides: (given: StreamCall): AsyncGenerator<Message[]> =>
      observe.stream(
        'slides',
        stream({
          ...given,
          operation: 'slides',
          path: paths.slidesStream(given.deckId),
          read: parseCompletedSlides,
        }),
      ),

    /**
     * Outlines that an interrupted run may have left; undefined where there are none, or upstream
     * cannot say.
     */
    findOutlines: (given: DeckCall): Promise<string[] | undefined> =>
      observe.call('read', () =>
        probe.speak(given.signal, async (features) => {
          if (!features.outlinesReadable) return undefined
          return parseOutlineList(
            parseJson(await exchange.send(call(given, features, paths.outlines(given.deckId)))),
          )
        }),
      ),

    /** Gives the deck its outlines, its title and its layouts, which a model picks. */
    prepareDeck: (
      given: DeckCall & { outlines: string[]; title: string; templateId: string },
    ): Promise<void> =>
      observe.call('prepare', () =>
        probe.speak(given.signal, async (features) => {
          const layout = await templates.forPrepare({
            account: given.account,
            signal: given.signal,
            features,
            templateId: given.templateId,
            outlines: given.outlines.length,
          })
          const json = {
            presentation_id: given.deckId,
            outlines: given.outlines.map((content) => ({ content })),
            title: given.title,
            layout,
          }
          const more = {
            subject: 'prepare',
            method: 'POST',
            json,
            timeoutMs: timeouts.prepareMs,
            slow: true,
          } as const
          await exchange.send(call(given, features, paths.prepare, more))
        }),
      ),

    readDeck: (given: DeckCall): Promise<DeckSlides> =>
      observe.call('read', () =>
        probe.speak(given.signal, async (features) =>
          parseDeck(
            parseJson(await exchange.send(call(given, features, paths.deck(given.deckId)))),
          ),
        ),
      ),

    /**
     * `title` is to be short, ASCII and new for each attempt: an export that was given up still
     * writes its file, which may bear it.
     */
    exportDeck: (
      given: DeckCall & { format: FileFormat; title: string },
    ): Promise<{ path: string }> =>
      observe.call('export', () =>
        probe.speak(given.signal, async (features) => {
          if (namesFilesByTitle(features)) {
            await exchange.send(
              call(given, features, paths.update, {
                method: 'PATCH',
                json: { id: given.deckId, title: given.title },
              }),
            )
          }
          const request = {
            method: 'POST',
            timeoutMs: timeouts.exportMs,
            slow: true,
            ...exportCall(given.deckId, given.format, features),
          } as const
          return parseExported(
            parseJson(await exchange.send(call(given, features, request.path, request))),
          )
        }),
      ),

    /** One that is not there any more is deleted. */
    deleteDeck: (given: DeckCall): Promise<void> =>
      observe.call('delete', () =>
        probe.speak(given.signal, async (features) => {
          await exchange.send(
            call(given, features, paths.deck(given.deckId), { method: 'DELETE', expect: [404] }),
          )
        }),
      ),
  }
}
