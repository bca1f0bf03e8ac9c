// One WebSocket as an iterator of messages. A socket cannot wait for its reader, so what a slow
// consumer has not taken is bounded: beyond, the socket closes, and the next one goes on where it
// stopped.

import { type MessageData, parseData } from './event-stream.ts'

/**
 * What the client uses of a WebSocket: those of browsers, of Node from 22 on, and of `ws` have it.
 */
export interface SocketLike {
  send(text: string): void
  close(code?: number, reason?: string): void
  addEventListener(
    type: 'open' | 'message' | 'close' | 'error',
    listener: (event: never) => void,
  ): void
}
export type SocketClass = new (url: string) => SocketLike

/** How a socket ended. */
export interface SocketEnd {
  code: number
  reason: string
  /** Whether there ever was a connection. The reason of a refused one is hidden from pages. */
  wasOpen: boolean
}

export interface OpenSocketOptions {
  url: string
  Socket: SocketClass
  signal: AbortSignal | undefined
  /** Below it the connection is asked for a sign of life; after it, it is given up. */
  silenceMs: number
}

const maxWaiting = 1_000
const slowConsumer: SocketEnd = { code: 1013, reason: '', wasOpen: true }

export function openSocket({ url, Socket, signal, silenceMs }: OpenSocketOptions) {
  const socket = new Socket(url)
  const waiting: MessageData[] = []
  let end: SocketEnd | undefined
  let wasOpen = false
  let wake: () => void = () => undefined
  let lastMs = Date.now()

  function finish(how: SocketEnd) {
    end ??= how
    clearInterval(watch)
    signal?.removeEventListener('abort', leave)
    wake()
  }
  function close(how: SocketEnd) {
    if (!end) socket.close()
    finish(how)
  }
  const leave = () => close({ code: 1000, reason: '', wasOpen })
  const watch = setInterval(() => {
    if (Date.now() - lastMs > silenceMs) close({ code: 1006, reason: '', wasOpen })
    else if (wasOpen) socket.send('{"type":"ping"}')
  }, silenceMs / 3)

  socket.addEventListener('open', () => {
    wasOpen = true
  })
  socket.addEventListener('message', ({ data }: { data: unknown }) => {
    lastMs = Date.now()
    const message = parseData(data)
    if (!message || message.type === 'pong' || end) return
    waiting.push(message)
    if (waiting.length > maxWaiting) close(slowConsumer)
    wake()
  })
  socket.addEventListener('close', ({ code, reason }: { code: number; reason: string }) =>
    finish({ code, reason, wasOpen }),
  )
  // `close` follows, and says as much as there is to know.
  socket.addEventListener('error', () => undefined)
  signal?.addEventListener('abort', leave, { once: true })
  if (signal?.aborted) leave()

  return {
    send: (message: object) => void (wasOpen && !end && socket.send(JSON.stringify(message))),
    close: leave,
    /** Returns how the socket ended, after all messages that came before. */
    async *messages(): AsyncGenerator<MessageData, SocketEnd, undefined> {
      for (;;) {
        const next = waiting.shift()
        if (next) yield next
        else if (end) return end
        else await new Promise<void>((resolve) => (wake = resolve))
      }
    },
  }
}
