// One connection to an event stream, read no further than its consumer.

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { networkError, readError } from './errors.ts'
import type { Call, Opened, Requests } from './requests.ts'

export interface EventStreamsOptions {
  requests: Requests
  /** A connection that is silent for this long is broken: the gateway sends heartbeats. */
  silenceMs: number
}

export type OpenEventStream = ReturnType<typeof createEventStreams>

export function createEventStreams({ requests, silenceMs }: EventStreamsOptions) {
  return function openEventStream({ headers, signal, ...call }: Call) {
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
      async open(): Promise<Opened | undefined> {
        watchSilence()
        const opened = await requests.openWithRenewal({
          ...call,
          headers: { accept: 'text/event-stream', ...headers },
          signal: closing.signal,
        })
        if (opened.response.status === 204) return undefined
        if (!opened.response.ok) throw await readError(opened.response)
        return opened
      },

      /** A broken connection ends it as a clean end does. */
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

export type MessageData = { type: string } & Record<string, unknown>

/** Undefined for what is no JSON object with a type: a newer gateway may send such messages. */
export function parseData(data: unknown): MessageData | undefined {
  try {
    const value: unknown = JSON.parse(String(data))
    const isMessage = typeof value === 'object' && value !== null && 'type' in value
    return isMessage ? (value as MessageData) : undefined
  } catch {
    return undefined
  }
}
