// The parts of a browser that the documented examples need: an EventSource that reconnects with its
// last event id, and a fetch that keeps cookies. Both resolve paths against the page's origin.

import { openReader, type Reader } from '../sandbox/reader.ts'

export interface BrowserOptions {
  /** Origin of the page. */
  origin: string
  /** Break the first connection after this number of events. Default: never. */
  breakAfter?: number
}

type Listener = (event: { data: string; lastEventId: string }) => void

const reconnectMs = 20

export function openBrowser({ origin, breakAfter = Number.POSITIVE_INFINITY }: BrowserOptions) {
  const readers = new Set<Reader>()
  const connections: string[] = []
  let cookie: string | undefined
  let isBroken = false

  class EventSource {
    onerror: () => void = () => undefined
    readonly #listeners = new Map<string, Listener>()
    readonly #url: string
    #reader: Reader | undefined
    #lastEventId: string | undefined
    #isClosed = false

    constructor(path: string) {
      this.#url = new URL(path, origin).href
      void this.#run()
    }

    addEventListener(kind: string, listener: Listener) {
      this.#listeners.set(kind, listener)
    }

    close() {
      this.#isClosed = true
      this.#reader?.close()
    }

    async #run() {
      while (!this.#isClosed) {
        connections.push(this.#url)
        const reader = await openReader(this.#url, {
          lastEventId: this.#lastEventId,
          headers: cookie === undefined ? {} : { cookie },
        })
        readers.add(reader)
        this.#reader = reader
        if (reader.status === 200) await this.#deliver(reader)
        if (this.#isClosed) return reader.close()
        this.onerror()
        // A browser reconnects only after status 200.
        if (reader.status !== 200) return
        await new Promise((resolve) => setTimeout(resolve, reconnectMs))
      }
    }

    async #deliver(reader: Reader) {
      let delivered = 0
      for await (const { id, event, text } of reader) {
        if (id !== undefined) this.#lastEventId = String(id)
        this.#listeners.get(event)?.({ data: text, lastEventId: this.#lastEventId ?? '' })
        delivered += 1
        if (!isBroken && delivered >= breakAfter) {
          isBroken = true
          return reader.close()
        }
        if (this.#isClosed) return
      }
    }
  }

  return {
    EventSource,
    /** The URL of every EventSource connection, in order. */
    connections,
    async fetch(path: string, init?: RequestInit): Promise<Response> {
      const response = await fetch(new URL(path, origin), init)
      const [setCookie] = response.headers.getSetCookie()
      if (setCookie !== undefined) cookie = setCookie.slice(0, setCookie.indexOf(';'))
      return response
    },
    close() {
      for (const reader of readers) reader.close()
    },
  }
}
