// Sends messages as an event stream, at the pace of the browser. Comments keep a silent one open.

import { Readable } from 'node:stream'
import { anySignal, raceSignal } from '../../async/signals.ts'
import { Problem } from '../../domain/problem.ts'
import { createChunkWriter } from '../../http/chunk-writer.ts'
import { eventStreamHeaders, heartbeatFrame } from '../../http/event-stream.ts'
import type { Exchange } from '../exchange.ts'
import type { WatchSession } from '../session-watch.ts'
import { errorMessage, frameOf, type Message } from './frames.ts'

/** `undefined`: nothing has happened for a while. */
export type Messages = AsyncGenerator<Message | undefined, void>

export interface SendStream {
  /** Counts an open stream of the user. @throws Problem TOO_MANY_STREAMS */
  takeStream: (userId: string) => () => void
  watchSession: WatchSession
}

export function createSendStream({ takeStream, watchSession }: SendStream) {
  const write = createChunkWriter()

  /**
   * Takes over the reply. What `start` begins may cost something, so it is called only if the user may
   * open another stream. The generator is ended when the browser leaves, or its session ends.
   */
  return async function sendStream(
    { owner, session, signal, reply }: Exchange,
    start: (signal: AbortSignal) => Messages | Promise<Messages>,
  ) {
    const releasePlace = takeStream(owner)
    const { ended, stop } = watchSession(session)
    const release = () => {
      stop()
      releasePlace()
    }
    const messages = await Promise.resolve()
      .then(() => start(anySignal(signal, ended)))
      .catch((error: unknown) => {
        release()
        throw error
      })
    const stream = Readable.from(frames(messages, ended), { objectMode: false })
    stream.once('close', release)
    reply.headers({ ...eventStreamHeaders, 'cache-control': 'private, no-store, no-transform' })
    write(stream, reply)
    return reply
  }
}

/** In words of upstream's form: its interface shows the text, and asks again, which is 401. */
const sessionOver = errorMessage('Your session in the slide maker is over.')

async function* frames(messages: Messages, ended: AbortSignal): AsyncGenerator<Buffer> {
  // Some bytes at once: a proxy may hold the head until then.
  yield heartbeatFrame
  try {
    for (;;) {
      const { done, value } = await raceSignal(messages.next(), ended)
      if (done) return
      yield value ? frameOf(value) : heartbeatFrame
    }
  } catch (error) {
    if (ended.aborted) yield frameOf(sessionOver)
    else if (!(error instanceof Problem)) throw error
    else yield frameOf(errorMessage(error.detail))
  } finally {
    // It may wait for something that this stream no longer needs.
    messages.return().catch(() => undefined)
  }
}
