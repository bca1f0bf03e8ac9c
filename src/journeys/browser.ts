// As much of a browser as the README's lines need: an EventSource that comes back with its last id
// when its connection goes, and a fetch that keeps the cookie it is given. Pages name addresses
// without their host; both know where they are.

import { openReader, type Reader } from '../sandbox/reader.ts'

export interface BrowserOptions {
  /** Where the page came from. */
  origin: string
  /** The first connection of each source breaks after so many events. */
  breakAfter?: number
}

type Listener = (event: { data: string; lastEventId: string }) => void

const comeBackMs = 20

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
        // Any other answer ends a browser's source for good.
        if (reader.status !== 200) return
        await new Promise((resolve) => setTimeout(resolve, comeBackMs))
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
    /** The address of every connection a source has made. */
    connections,
    async fetch(path: string, init?: RequestInit): Promise<Response> {
      const answer = await fetch(new URL(path, origin), init)
      const [set] = answer.headers.getSetCookie()
      if (set !== undefined) cookie = set.slice(0, set.indexOf(';'))
      return answer
    },
    close() {
      for (const reader of readers) reader.close()
    },
  }
}
