// Follows the events of a presentation through drops, restarts of the gateway and renewed tokens:
// each event once, in order, until the one that ends the run.

import type { EventSourceMessage } from 'eventsource-parser'
import { passes } from './errors.ts'
import { type MessageData, type OpenEventStream, parseData } from './event-stream.ts'
import { askedRetryMs, createReconnects, defaultRetryMs } from './reconnects.ts'
import type { Timing } from './timing.ts'
import type { TokenSource } from './token.ts'
import type { CallOptions, PresentationEvent } from './types.ts'

export interface FollowOptions extends CallOptions {
  /** Continues after this event. */
  lastEventId?: number | undefined
}

export interface FollowerOptions {
  openEventStream: OpenEventStream
  tokens: TokenSource
  timing: Timing
}

export function createFollower({ openEventStream, tokens, timing }: FollowerOptions) {
  return async function* follow(
    id: string,
    { signal, lastEventId = 0 }: FollowOptions = {},
  ): AsyncGenerator<PresentationEvent, void, undefined> {
    let cursor = lastEventId
    let retryMs = defaultRetryMs
    const reconnects = createReconnects({ tokens, timing })

    for (;;) {
      signal?.throwIfAborted()
      const connection = openEventStream({
        path: `/presentations/${encodeURIComponent(id)}/events`,
        headers: cursor > 0 ? { 'last-event-id': String(cursor) } : {},
        signal,
      })
      try {
        const opened = await connection.open()
        if (opened === undefined) return
        let hasExpired = false
        for await (const message of connection.messages(opened.response, (ms) => (retryMs = ms))) {
          const data = parseData(message.data)
          if (!data) continue
          if (isTokenExpired(message, data)) {
            hasExpired = true
            break
          }
          const eventId = Number(message.id ?? cursor)
          if (message.id !== undefined && eventId <= cursor && data.type !== 'resync') continue
          cursor = eventId
          reconnects.succeeded()
          yield { ...data, id: eventId } as PresentationEvent
          if (isTerminal(data)) return
        }
        if (hasExpired) {
          reconnects.renew(opened.token)
          continue
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (!passes(error)) throw error
        retryMs = askedRetryMs(error) ?? retryMs
      } finally {
        connection.close()
      }
      await reconnects.wait(retryMs, signal)
    }
  }
}

/** The notice has no number, unlike an event of a run. */
const isTokenExpired = ({ id }: EventSourceMessage, { type, code }: MessageData) =>
  id === undefined && type === 'status' && code === 'TOKEN_EXPIRED'

const isTerminal = ({ type }: MessageData) => type === 'complete' || type === 'error'
