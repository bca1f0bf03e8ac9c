// The streams in which upstream's model writes a deck: its outlines and its slides. Every start is
// paid for, so nothing here starts a stream twice.

import type { Logger } from '../telemetry/logging.ts'
import type { CallMetrics } from './call-metrics.ts'
import type { Calls } from './calls.ts'
import {
  completedDeckIdOf,
  parseCompletedOutlines,
  parseCompletedSlides,
} from './deck-responses.ts'
import type { DeckCall } from './decks.ts'
import { paths } from './dialect.ts'
import { fault } from './failures.ts'
import { readMessageStream, type StreamTrouble } from './message-stream.ts'
import type { Message } from './messages.ts'
import type { Probe } from './probe.ts'

export interface StreamCall extends DeckCall {
  /** Logs dropped messages and reported errors; by default the client's own logger. */
  logger?: Pick<Logger, 'warn'>
}

export interface DeckStreamsOptions {
  calls: Calls
  probe: Probe
  metrics: CallMetrics
  /**
   * `streamMs` is for a whole stream or turn, `stallMs` for the silence in it, and for an image.
   */
  timeouts: { streamMs: number; stallMs: number }
  maxMessageBytes: number
  logger: Pick<Logger, 'warn'>
}

interface StreamKind {
  operation: string
  path: string
  /** Throws a Problem if the `complete` message lacks what it must contain. */
  parse(complete: Message): unknown
}

export function createDeckStreams(options: DeckStreamsOptions) {
  const { calls, probe, metrics, timeouts, maxMessageBytes } = options

  async function* readStream(
    { account, signal, deckId, logger = options.logger }: StreamCall,
    { operation, path, parse }: StreamKind,
  ): AsyncGenerator<Message[]> {
    const onTrouble = (trouble: StreamTrouble) =>
      logger.warn({ operation, ...trouble }, 'Presenton sent a faulty stream')
    function checkComplete(complete: Message): void {
      parse(complete)
      if ((completedDeckIdOf(complete) ?? deckId) !== deckId)
        throw fault('complete of another deck')
    }
    const body = await probe.withFeatures(signal, ({ auth }) =>
      calls.open({
        account,
        signal,
        auth,
        routeKind: 'deck',
        path,
        timeoutMs: timeouts.streamMs,
        stallMs: timeouts.stallMs,
        isPaid: true,
        isOnce: 'for-users',
      }),
    )
    try {
      const contentType = body.headers['content-type']
      if (typeof contentType === 'string' && !contentType.startsWith('text/event-stream'))
        throw fault('the response is not an event stream')
      yield* readMessageStream(body.chunks(), { maxMessageBytes, checkComplete, onTrouble })
    } finally {
      body.close()
    }
  }

  const start = (call: StreamCall, kind: StreamKind) =>
    metrics.measureStream(kind.operation, readStream(call, kind))

  return {
    /** Rewrites the deck's outlines. Ends after `complete`; see `parseCompletedOutlines`. */
    streamOutlines: (call: StreamCall): AsyncGenerator<Message[]> =>
      start(call, {
        operation: 'outlines',
        path: paths.outlinesStream(call.deckId),
        parse: parseCompletedOutlines,
      }),

    /** Rewrites the deck's slides. Ends after `complete`; see `parseCompletedSlides`. */
    streamSlides: (call: StreamCall): AsyncGenerator<Message[]> =>
      start(call, {
        operation: 'slides',
        path: paths.slidesStream(call.deckId),
        parse: parseCompletedSlides,
      }),
  }
}
