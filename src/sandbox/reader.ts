// Reads an event stream over a connection of its own, like a browser's EventSource, and shows what
// EventSource hides: status, headers, comments, and how the stream ended.

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
  /** Undefined when the event has none. */
  id: number | undefined
  event: string
  // biome-ignore lint/suspicious/noExplicitAny: tests check every kind of event
  data: any
  /** The data before parsing. */
  text: string
}

/**
 * `clean`: the server ended the stream. `broken`: the connection broke. `closed`: this side closed
 * it, by `close` or the signal.
 */
export type Ending = 'clean' | 'broken' | 'closed'

export type Reader = Awaited<ReturnType<typeof openReader>>

/** Resolves with the head of the response, also of an error response. */
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
  let notify = () => {}
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
      notify()
    })
  })
  response.on('error', () => undefined)
  if (isStream) {
    response.setEncoding('utf8')
    response.on('data', (chunk: string) => {
      state.bytes += Buffer.byteLength(chunk)
      parser.feed(chunk)
      notify()
    })
  }

  /**
   * The next event, undefined after a clean end or `close`. Rejects when the connection breaks or
   * no event comes in time.
   */
  async function next(withinMs = 30_000): Promise<StreamEvent | undefined> {
    const deadline = performance.now() + withinMs
    while (events.length === 0) {
      if (state.ending === 'broken') throw new Error('the event stream broke off')
      if (state.ending !== undefined) return undefined
      const remainingMs = deadline - performance.now()
      if (remainingMs <= 0) throw new Error(`no event within ${withinMs} ms`)
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, remainingMs)
        notify = () => {
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
    /** The whole body of a response that is not an event stream. */
    body: isStream ? Promise.resolve('') : text(response),
    /** The last `retry:` line, in ms. */
    get retry() {
      return state.retry
    },
    /** How many comment lines (heartbeats) were received. */
    get comments() {
      return state.comments
    },
    get bytes() {
      return state.bytes
    },
    ended,
    next,
    /** The next event. Rejects unless it is of this kind (`data.type`). */
    async expectNext(kind?: string, withinMs?: number): Promise<StreamEvent> {
      const event = await next(withinMs)
      if (!event) throw new Error(`the event stream ended, expected ${kind ?? 'another event'}`)
      if (kind !== undefined && event.data?.type !== kind)
        throw new Error(`expected ${kind}, received ${event.text}`)
      return event
    },
    /** All events up to and including the first one of this kind. */
    async until(kind: string, withinMs = 30_000): Promise<StreamEvent[]> {
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
    /** All events until the end of the stream. */
    async rest(withinMs = 60_000): Promise<StreamEvent[]> {
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
    /** Reads nothing from the socket until `resume`, like a slow client. */
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
    // Without an agent, `close` closes the connection, like closing a browser tab.
    const outgoing = request(url, { headers, agent: false, ...(signal ? { signal } : {}) })
    outgoing.once('response', resolve)
    outgoing.once('error', reject)
    outgoing.end()
  })
}

function parse(data: string): unknown {
  try {
    return JSON.parse(data)
  } catch {
    return undefined
  }
}
