// Follows the events of a presentation through drops, restarts of the gateway and renewed tokens:
// each event once, in order, until the one that ends the run.

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { GatewayError, networkError, readError } from './errors.ts'
import type { Requests } from './requests.ts'
import { backoffMs, jitterMs, type Timing } from './timing.ts'
import type { TokenSource } from './token.ts'
import type { CallOptions, PresentationEvent } from './types.ts'

export interface FollowOptions extends CallOptions {
  /** Continues after this event. */
  lastEventId?: number | undefined
}

export interface FollowerOptions {
  requests: Requests
  tokens: TokenSource
  timing: Timing
  /** A connection that is silent for this long is broken: the gateway sends heartbeats. */
  silenceMs: number
}

const defaultRetryMs = 2_000

export function createFollower({ requests, tokens, timing, silenceMs }: FollowerOptions) {
  return async function* follow(
    id: string,
    { signal, lastEventId = 0 }: FollowOptions = {},
  ): AsyncGenerator<PresentationEvent, void, undefined> {
    let cursor = lastEventId
    let retryMs = defaultRetryMs
    /** Connections in a row that brought no event. */
    let failures = 0
    let refusedToken: string | undefined

    for (;;) {
      signal?.throwIfAborted()
      const connection = openConnection(id, cursor, signal)
      try {
        const opened = await connection.open()
        if (opened === undefined) return
        let hasExpired = false
        for await (const message of connection.messages(opened.response, (ms) => (retryMs = ms))) {
          const data = parseData(message)
          if (!data) continue
          if (isTokenExpired(message, data)) {
            hasExpired = true
            break
          }
          const eventId = Number(message.id ?? cursor)
          if (message.id !== undefined && eventId <= cursor && data.type !== 'resync') continue
          cursor = eventId
          failures = 0
          refusedToken = undefined
          yield { ...data, id: eventId } as PresentationEvent
          if (isTerminal(data)) return
        }
        if (hasExpired) {
          // Twice without an event in between: the renewed token is no better.
          if (refusedToken !== undefined && refusedToken === opened.token) throw tokenExpired()
          refusedToken = opened.token
          await tokens.renew(opened.token)
          continue
        }
      } catch (error) {
        signal?.throwIfAborted()
        if (!passes(error)) throw error
        const { retryAfterMs } = error
        if (retryAfterMs !== undefined) retryMs = Math.min(60_000, retryAfterMs)
      } finally {
        connection.close()
      }
      const waitMs = failures === 0 ? 0 : backoffMs(failures, timing)
      failures += 1
      await timing.sleep(Math.max(waitMs, jitterMs(retryMs, timing)), signal)
    }
  }

  function openConnection(id: string, cursor: number, signal: AbortSignal | undefined) {
    const closing = new AbortController()
    let silence: ReturnType<typeof setTimeout> | undefined
    const abort = () => closing.abort(signal?.reason)
    signal?.addEventListener('abort', abort, { once: true })

    function watchSilence() {
      clearTimeout(silence)
      silence = setTimeout(() => closing.abort(networkError('no byte in time')), silenceMs)
    }

    return {
      /** The response of a stream; undefined for 204: there are no further events. */
      async open() {
        watchSilence()
        const opened = await requests.openWithRenewal({
          path: `/presentations/${encodeURIComponent(id)}/events`,
          headers: {
            accept: 'text/event-stream',
            ...(cursor > 0 && { 'last-event-id': String(cursor) }),
          },
          signal: closing.signal,
        })
        if (opened.response.status === 204) return undefined
        if (!opened.response.ok) throw await readError(opened.response)
        return opened
      },

      /** Reads no further than the consumer. A broken connection ends it as a clean end does. */
      async *messages(response: Response, onRetry: (ms: number) => void) {
        const parsed: EventSourceMessage[] = []
        const parser = createParser({ onEvent: (event) => void parsed.push(event), onRetry })
        const decoder = new TextDecoder()
        const reader = response.body?.getReader()
        for (;;) {
          watchSilence()
          const next = await reader?.read().catch(() => undefined)
          clearTimeout(silence)
          if (!next || next.done) return
          parser.feed(decoder.decode(next.value, { stream: true }))
          yield* parsed.splice(0)
        }
      },

      close() {
        clearTimeout(silence)
        signal?.removeEventListener('abort', abort)
        closing.abort()
      },
    }
  }
}

type EventData = { type: string } & Record<string, unknown>

/** Undefined for what is no JSON object with a type: a newer gateway may send such events. */
function parseData({ data }: EventSourceMessage): EventData | undefined {
  try {
    const value: unknown = JSON.parse(data)
    const isEvent = typeof value === 'object' && value !== null && 'type' in value
    return isEvent ? (value as EventData) : undefined
  } catch {
    return undefined
  }
}

/** The notice has no number, unlike an event of a run. */
const isTokenExpired = ({ id }: EventSourceMessage, { type, code }: EventData) =>
  id === undefined && type === 'status' && code === 'TOKEN_EXPIRED'

const isTerminal = ({ type }: EventData) => type === 'complete' || type === 'error'

/** A failure after which another connection may work. */
function passes(error: unknown): error is GatewayError {
  if (!(error instanceof GatewayError)) return false
  const { status } = error
  return status === 0 || status === 408 || status === 429 || status >= 500
}

const tokenExpired = () =>
  new GatewayError({ code: 'TOKEN_EXPIRED', status: 401, message: 'The token has expired.' })
