// Reads an event stream over a socket of its own, as a browser's EventSource would, but keeps
// everything that EventSource hides: status, headers, comments, how the stream ended. For the
// sandbox and for tests.

import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { createParser } from 'eventsource-parser'

export interface ReaderOptions {
  token?: string | undefined
  lastEventId?: number | string | undefined
  headers?: Record<string, string>
  signal?: AbortSignal
}

export interface StreamEvent {
  /** Undefined when the event bears none. */
  id: number | undefined
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: tests look into every kind of event
  data: any
  /** The data as it came. */
  text: string
}

/**
 * `clean`: the server ended the stream; `broken`: the connection broke; `closed`: by `close` or the
 * signal.
 */
export type Ending = 'clean' | 'broken' | 'closed'

export type Reader = Awaited<ReturnType<typeof openReader>>

/** Resolves once the answer's head is there, whatever its status. */
export async function openReader(
  url: string,
  { token, lastEventId, headers = {}, signal }: ReaderOptions = {},
) {
  const response = await send(
    url,
    {
      accept: 'text/event-stream',
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
      ...(lastEventId === undefined ? {} : { 'last-event-id': String(lastEventId) }),
      ...headers,
    },
    signal,
  )
  const isStream = response.headers['content-type']?.startsWith('text/event-stream') === true
  const state = {
    retry: undefined as number | undefined,
    comments: 0,
    bytes: 0,
    ending: undefined as Ending | undefined,
  }
  const events: StreamEvent[] = []
  let wake = () => {}
  let isClosed = false

  const parser = createParser({
    onEvent({ id, event, data }) {
      events.push({
        id: id === undefined ? undefined : Number(id),
        event: event ?? 'message',
        data: parse(data),
        text: data,
      })
    },
    onRetry: (ms) => (state.retry = ms),
    onComment: () => state.comments++,
    onError: (error) =>
      events.push({ id: undefined, event: 'unreadable', data: undefined, text: error.message }),
  })

  const ended = new Promise<Ending>((resolve) => {
    response.once('close', () => {
      state.ending = isClosed ? 'closed' : response.complete ? 'clean' : 'broken'
      resolve(state.ending)
      wake()
    })
  })
  response.on('error', () => undefined)
  if (isStream) {
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      state.bytes += Buffer.byteLength(chunk)
      parser.feed(chunk)
      wake()
    })
  }

  /**
   * The next event; undefined after a clean end or `close`. Rejects when the connection breaks or
   * nothing comes in time.
   */
  async function next(withinMs = 10_000): Promise<StreamEvent | undefined> {
    const deadline = performance.now() + withinMs
    while (events.length === 0) {
      if (state.ending === 'broken') throw new Error('the event stream broke off')
      if (state.ending !== undefined) return undefined
      const left = deadline - performance.now()
      if (left <= 0) throw new Error(`no event within ${withinMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left)
        wake = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
    return events.shift()
  }

  return {
    status: response.statusCode ?? 0,
    headers: response.headers as IncomingHttpHeaders,
    /** The whole body of an answer that is no event stream. */
    body: isStream ? Promise.resolve('') : text(response),
    /** The last `retry:` line, in ms. */
    get retry() {
      return state.retry
    },
    /** How many comment lines (heartbeats) have come. */
    get comments() {
      return state.comments
    },
    get bytes() {
      return state.bytes
    },
    ended,
    next,
    /** The next event, which must be of this kind (`data.type`). */
    async expectNext(kind?: string, withinMs?: number): Promise<StreamEvent> {
      const event = await next(withinMs)
      if (!event) throw new Error(`the event stream ended, ${kind ?? 'another event'} was expected`)
      if (kind !== undefined && event.data?.type !== kind)
        throw new Error(`${kind} was expected, not ${event.text}`)
      return event
    },
    /** All events up to and including the first one of this kind. */
    async until(kind: string, withinMs = 10_000): Promise<StreamEvent[]> {
      const read: StreamEvent[] = []
      const deadline = performance.now() + withinMs
      while (read.at(-1)?.data?.type !== kind) {
        const event = await next(deadline - performance.now())
        if (!event)
          throw new Error(
            `the event stream ended without ${kind}, after ${read.map(({ data }) => data?.type).join(', ')}`,
          )
        read.push(event)
      }
      return read
    },
    /** All events to the end of the stream. */
    async rest(withinMs = 30_000): Promise<StreamEvent[]> {
      const read: StreamEvent[] = []
      const deadline = performance.now() + withinMs
      for (
        let event = await next(withinMs);
        event;
        event = await next(deadline - performance.now())
      )
        read.push(event)
      return read
    },
    /** Takes no byte off the socket until `resume`: a slow reader. */
    pause: () => void response.pause(),
    resume: () => void response.resume(),
    close() {
      isClosed = true
      response.destroy()
    },
    async *[Symbol.asyncIterator]() {
      for (let event = await next(2 ** 31 - 1); event; event = await next(2 ** 31 - 1)) yield event
    },
  }
}

function send(
  url: string,
  headers: Record<string, string>,
  signal: AbortSignal | undefined,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    // A connection of its own: closing it is what a browser's tab does when it is closed.
    const sent = request(url, { headers, agent: false, ...(signal ? { signal } : {}) })
    sent.once('response', resolve)
    sent.once('error', reject)
    sent.end()
  })
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
