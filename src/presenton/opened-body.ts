// The body of a response, read as it arrives. The time in which upstream sends nothing is bounded;
// the time in which the consumer is busy is not.

import type { CallDeadline } from './call-deadline.ts'
import type { UpstreamResponse } from './connection.ts'
import { timeout } from './failures.ts'

/** Its connection stays open until `close`, or until `chunks` ends. */
export interface OpenedBody {
  headers: UpstreamResponse['headers']
  /**
   * What upstream sends, read by read and never ahead of the consumer. Rejects with a Problem, or
   * with the reason of the call's signal.
   */
  chunks(): AsyncGenerator<Uint8Array>
  close(): void
}

interface OpenedBodyOptions {
  response: UpstreamResponse
  deadline: CallDeadline
  stallMs: number
  close(): void
  toFailure(error: unknown): unknown
}

export function createOpenedBody({
  response,
  deadline,
  stallMs,
  close,
  toFailure,
}: OpenedBodyOptions): OpenedBody {
  return {
    headers: response.headers,
    close,
    async *chunks() {
      const reader: AsyncIterator<Buffer> = response.body[Symbol.asyncIterator]()
      try {
        for (;;) {
          const stall = setTimeout(
            () => deadline.abort(timeout(`silent for ${stallMs} ms`)),
            stallMs,
          )
          const next = await reader.next().finally(() => clearTimeout(stall))
          if (next.done) return
          yield next.value
        }
      } catch (error) {
        throw toFailure(error)
      } finally {
        close()
      }
    },
  }
}
