// Upstream's event stream as messages: bytes in any pieces become parsed JSON objects that have a
// kind. Parsed here, at the border; what is not of that form is dropped, and said so without its
// content. Unknown kinds and event names pass: they belong to newer upstreams.

import { createParser } from 'eventsource-parser'
import type { Problem } from '../domain/problem.ts'
import { fault } from './failures.ts'

export interface Message {
  type: string
  /** The whole object, `type` included. */
  value: Record<string, unknown>
}

interface ReaderOptions {
  maxMessageBytes: number
  onDropped(why: string): void
}

/**
 * A reader of one stream. `failure` is set for good once a message is too large; what came before
 * it was read.
 */
export function createMessageReader({ maxMessageBytes, onDropped }: ReaderOptions) {
  const decoder = new TextDecoder()
  let read: Message[] = []
  let failure: Problem | undefined
  let endsInCr = false

  const tooLarge = () => {
    failure ??= fault('a message is too large')
  }

  const parser = createParser({
    // Characters; of the JSON that upstream writes, one is one byte.
    maxBufferSize: maxMessageBytes,
    onEvent({ data }) {
      if (failure) return
      if (data.length > maxMessageBytes || Buffer.byteLength(data) > maxMessageBytes)
        return tooLarge()
      const message = parseMessage(data)
      if (typeof message === 'string') onDropped(message)
      else read.push(message)
    },
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded') tooLarge()
    },
  })

  function feed(text: string): Message[] {
    read = []
    if (text !== '' && !failure) {
      endsInCr = text.endsWith('\r')
      parser.feed(text)
    }
    return read
  }

  return {
    failure: () => failure,
    feed: (bytes: Uint8Array): Message[] => feed(decoder.decode(bytes, { stream: true })),
    /**
     * At the end of the body: a line may still wait to see whether a line feed follows its carriage
     * return.
     */
    end: (): Message[] => (endsInCr ? feed('\n') : []),
  }
}

/** The message in an event's data, or why it is none. */
function parseMessage(data: string): Message | string {
  let value: unknown
  try {
    value = JSON.parse(data)
  } catch {
    return 'no JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'no object'
  const { type } = value as { type?: unknown }
  return typeof type === 'string' && type !== ''
    ? { type, value: value as Record<string, unknown> }
    : 'no kind'
}
