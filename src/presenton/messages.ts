// Parses upstream's event stream: bytes in pieces of any size become JSON objects that have a type.
// Everything else is dropped and reported without its content. Unknown types and event names pass,
// because newer upstreams may send them.

import { createParser } from 'eventsource-parser'
import type { Problem } from '../domain/problem.ts'
import { fault } from './failures.ts'

export interface Message {
  type: string
  /** The whole object, `type` included. */
  value: Record<string, unknown>
}

interface MessageReaderOptions {
  maxMessageBytes: number
  onDropped(reason: string): void
}

/** Reads one stream. A message over the bound sets `failure` for good and ends the reading. */
export function createMessageReader({ maxMessageBytes, onDropped }: MessageReaderOptions) {
  const decoder = new TextDecoder()
  let messages: Message[] = []
  let failure: Problem | undefined
  let endsInCarriageReturn = false

  const setTooLarge = () => {
    failure ??= fault('a message is too large')
  }

  const parser = createParser({
    // Counted in characters. Upstream escapes all others than ASCII, so one is one byte.
    maxBufferSize: maxMessageBytes,
    onEvent({ data }) {
      if (failure) return
      if (data.length > maxMessageBytes || Buffer.byteLength(data) > maxMessageBytes)
        return setTooLarge()
      const message = parseMessage(data)
      if (typeof message === 'string') onDropped(message)
      else messages.push(message)
    },
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') setTooLarge()
    },
  })

  function feed(text: string): Message[] {
    messages = []
    if (text !== '' && !failure) {
      endsInCarriageReturn = text.endsWith('\r')
      parser.feed(text)
    }
    return messages
  }

  return {
    failure: () => failure,
    feed: (bytes: Uint8Array): Message[] => feed(decoder.decode(bytes, { stream: true })),
    /**
     * The messages that the end of the body completes. After a carriage return the parser still
     * waits for a line feed.
     */
    end: (): Message[] => (endsInCarriageReturn ? feed('\n') : []),
  }
}

/** The message in an event's data, or the reason why there is none. */
function parseMessage(data: string): Message | string {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return 'not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not an object'
  const { type } = value as { type?: unknown }
  return typeof type === 'string' && type !== ''
    ? { type, value: value as Record<string, unknown> }
    : 'no type'
}
