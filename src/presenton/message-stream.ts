// The rules of a message stream: it succeeds with its first `complete` and in no other way. Neither
// status 200 nor a clean end of the body is a success.

import { takeLoopTurn } from '../async/loop-turns.ts'
import type { Problem } from '../domain/problem.ts'
import { fault, modelProblem } from './failures.ts'
import { createMessageReader, type Message } from './messages.ts'
import { redactUpstreamText } from './redact.ts'

/** Why a message was dropped, or the error that upstream reported, redacted. Never content. */
export type StreamTrouble = { dropped: string } | { reported: string }

interface MessageStreamOptions {
  maxMessageBytes: number
  /** Throws a Problem if the `complete` message lacks what it must contain. */
  checkComplete(complete: Message): void
  onTrouble(trouble: StreamTrouble): void
}

/** The messages to yield, and how the stream ends after them, if it does. */
interface Batch {
  messages: Message[]
  end?: 'complete' | Problem
}

/**
 * The messages of a body, in one array for each read that contained any. Returns after the first
 * `complete`, its last message. An `error` message, an end without `complete` and a message over
 * the bound throw a Problem after the messages before them.
 */
export async function* readMessageStream(
  chunks: AsyncGenerator<Uint8Array>,
  { maxMessageBytes, checkComplete, onTrouble }: MessageStreamOptions,
): AsyncGenerator<Message[]> {
  const reader = createMessageReader({
    maxMessageBytes,
    onDropped: (reason) => onTrouble({ dropped: reason }),
  })

  function toBatch(messages: Message[]): Batch {
    const last = messages.findIndex(({ type }) => type === 'complete' || type === 'error')
    const message = messages[last]
    if (message === undefined) {
      const failure = reader.failure()
      return failure ? { messages, end: failure } : { messages }
    }
    const before = messages.slice(0, last)
    if (message.type === 'error') {
      const { detail, status_code: status } = message.value
      const text = typeof detail === 'string' ? detail : ''
      const reported = redactUpstreamText(text)
      onTrouble({ reported })
      const cause = new Error(`upstream reported an error: ${reported}`)
      // Some versions give the status of the model's provider beside its text.
      const told = typeof status === 'number' ? `status ${status}: ${text}` : text
      return { messages: before, end: modelProblem(told, { cause }) }
    }
    try {
      checkComplete(message)
    } catch (error) {
      return { messages: before, end: error as Problem }
    }
    return { messages: [...before, message], end: 'complete' }
  }

  for await (const chunk of withEnd(inPieces(chunks))) {
    await takeLoopTurn()
    const { messages, end } = toBatch(chunk === undefined ? reader.end() : reader.feed(chunk))
    if (messages.length > 0) yield messages
    if (end === 'complete') return
    if (end) throw end
  }
  throw fault('the stream ended without complete')
}

/** A read may bring 64 KiB, which can be a thousand messages: too much for one piece of work. */
const pieceBytes = 8 * 1024

async function* inPieces(chunks: AsyncGenerator<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    for (let from = 0; from < chunk.length; from += pieceBytes) {
      yield chunk.subarray(from, from + pieceBytes)
    }
  }
}

/** The chunks and, after a clean end, undefined. */
async function* withEnd(
  chunks: AsyncGenerator<Uint8Array>,
): AsyncGenerator<Uint8Array | undefined> {
  yield* chunks
  yield undefined
}
