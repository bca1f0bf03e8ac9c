// The rules of a stream: it ends well with the first `complete` and with nothing else. Neither a
// 200 nor a clean end of the body is success.

import type { Problem } from '../domain/problem.ts'
import { fault } from './failures.ts'
import { createMessageReader, type Message } from './messages.ts'
import { redactUpstreamText } from './redact.ts'

interface StreamOptions {
  maxMessageBytes: number
  /** Throws a Problem when a `complete` lacks what it should bring. */
  check(complete: Message): void
  /** What was dropped, or what upstream says went wrong; never content. */
  onTrouble(trouble: { dropped: string } | { reported: string }): void
}

/**
 * The messages of a body, one array for each read that brought any; returns after the first
 * `complete`, which is the last one given. An `error` of upstream, a body that ends without
 * `complete`, and a message over the bound throw a Problem, after the messages before it.
 */
export async function* readStream(
  chunks: AsyncGenerator<Uint8Array>,
  { maxMessageBytes, check, onTrouble }: StreamOptions,
): AsyncGenerator<Message[]> {
  const reader = createMessageReader({
    maxMessageBytes,
    onDropped: (why) => onTrouble({ dropped: why }),
  })

  /** What to pass on, and how the stream ends there if it does. */
  function judge(messages: Message[]): { pass: Message[]; end?: 'well' | Problem } {
    const last = messages.findIndex(({ type }) => type === 'complete' || type === 'error')
    const message = messages[last]
    if (message === undefined) {
      const failure = reader.failure()
      return failure ? { pass: messages, end: failure } : { pass: messages }
    }
    const before = messages.slice(0, last)
    if (message.type === 'error') {
      const { detail } = message.value
      const reported = redactUpstreamText(typeof detail === 'string' ? detail : '')
      onTrouble({ reported })
      return { pass: before, end: fault(`upstream reported an error: ${reported}`) }
    }
    try {
      check(message)
    } catch (error) {
      return { pass: before, end: error as Problem }
    }
    return { pass: [...before, message], end: 'well' }
  }

  for await (const chunk of withEnd(chunks)) {
    const { pass, end } = judge(chunk === undefined ? reader.end() : reader.feed(chunk))
    if (pass.length > 0) yield pass
    if (end === 'well') return
    if (end) throw end
  }
  throw fault('the stream ended without complete')
}

/** The chunks and, after a clean end, undefined. */
async function* withEnd(
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array | undefined> {
  yield* chunks
  yield undefined
}
