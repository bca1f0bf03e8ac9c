// Waiting tools. Some clients stop waiting after 60 s and call again, so no call takes that long.

import { anySignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import type { PresentationServices } from '../presentations/routes.ts'
import type { PresentationRow } from '../presentations/statements/queries.ts'
import type { ToolCall } from './tool.ts'

const longestWaitSeconds = 45

export interface WaitOptions {
  findPresentation: PresentationServices['findPresentation']
  waitUntilSettled: PresentationServices['waitUntilSettled']
  /** Aborts when the shutdown begins: calls that wait return then. */
  closing: AbortSignal
}

export type WaitForRun = ReturnType<typeof createWaitForRun>

export function createWaitForRun({ findPresentation, waitUntilSettled, closing }: WaitOptions) {
  /**
   * The presentation at the end of its run, or as it is after `seconds`.
   * @throws Problem NOT_FOUND, or the reason of the call's signal
   */
  return async function waitForRun(
    id: string,
    seconds: number,
    { userId, signal, reportProgress }: ToolCall,
  ): Promise<PresentationRow> {
    const own = { userId, id }
    const timeoutMs = Math.min(seconds, longestWaitSeconds) * 1000
    const row =
      timeoutMs === 0 || closing.aborted ? await findPresentation(own) : await wait(timeoutMs)
    if (!row) throw new Problem('NOT_FOUND')
    return row

    async function wait(timeoutMs: number) {
      try {
        const either = anySignal(signal, closing)
        const onRead = reportProgress
        return await waitUntilSettled({ ...own, timeoutMs, signal: either, onRead })
      } catch (error) {
        if (!closing.aborted || signal.aborted || error instanceof Problem) throw error
        return findPresentation(own)
      }
    }
  }
}
