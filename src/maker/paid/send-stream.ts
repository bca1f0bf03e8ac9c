// Sends messages as an event stream, at the pace of the browser. Comments keep a silent one open.

import { Readable } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, heartbeatFrame } from '../../http/event-stream.ts'
import type { Exchange } from '../exchange.ts'
import { errorMessage, frameOf, type Message } from './frames.ts'

/** `undefined`: nothing has happened for a while. */
export type Messages = AsyncGenerator<Message | undefined, void>

export interface SendStream {
  /** Counts an open stream of the user. @throws Problem TOO_MANY_STREAMS */
  takeStream: (userId: string) => () => void
}

export function createSendStream({ takeStream }: SendStream) {
  const write = createChunkWriter()

  /**
   * Takes over the reply. What `start` begins may cost something, so it is called only if the user may
   * open another stream. The generator is ended when the browser leaves.
   */
  return async function sendStream(
    { owner, reply }: Exchange,
    start: () => Messages | Promise<Messages>,
  ) {
    const release = takeStream(owner)
    const messages = await Promise.resolve()
      .then(start)
      .catch((error: unknown) => {
        release()
        throw error
      })
    const stream = Readable.from(frames(messages), { objectMode: false })
    stream.once('close', release)
    reply.headers(eventStreamHeaders)
    write(stream, reply)
    return reply
  }
}

async function* frames(messages: Messages): AsyncGenerator<Buffer> {
  // Some bytes at once: a proxy may hold the head until then.
  yield heartbeatFrame
  try {
    for await (const message of messages) yield message ? frameOf(message) : heartbeatFrame
  } catch (error) {
    if (!(error instanceof Problem)) throw error
    yield frameOf(errorMessage(error.detail))
  }
}
