// Starts a run in which the model changes one slide of a finished deck. It waits for a change of
// the deck that is under way; from then on no other change is accepted.

import { anySignal } from '../../async/signals.ts'
import { takeEdit } from '../../database/edit-quota.ts'
import type { IdempotentResponse } from '../../database/idempotency.ts'
import { insertEdit } from '../../database/slide-edits.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import type { Presenton } from '../../presenton/client.ts'
import { checkQueue, type QueueLimits } from '../check-queue.ts'
import {
  createStartRun,
  type IdempotentCommand,
  type OwnedPresentation,
  type StartRunOptions,
} from '../start-run.ts'
import { countQueued } from '../statements/insert.ts'
import { queueEdit } from '../statements/queue-runs.ts'
import { checkRevision, readChangeable } from './check-revision.ts'
import { readFree, whenDeckIsFree } from './when-deck-is-free.ts'

export interface StartEditOptions extends StartRunOptions {
  presenton: Pick<Presenton, 'readCapabilities' | 'knownCapabilities'>
  queue: QueueLimits
  /** Per user; 0 means unlimited. */
  editsPerDay: number
}

export interface EditRequest {
  own: OwnedPresentation
  ifMatch: IfMatch | undefined
  signal: AbortSignal
  index: number
  instruction: string
  /** A fresh file follows. */
  makesFile: boolean
}

export type StartEdit = ReturnType<typeof createStartEdit>

/** For asking a Presenton whose version is not known yet. */
const capabilitiesTimeoutMs = 3_000

export function createStartEdit(options: StartEditOptions) {
  const { presenton, queue, editsPerDay } = options
  const startRun = createStartRun(options)

  /** While the version is not known, the run is started and finds out. */
  async function learnCapabilities(signal: AbortSignal): Promise<void> {
    if (presenton.knownCapabilities()) return
    const timeout = AbortSignal.timeout(capabilitiesTimeoutMs)
    await presenton
      .readCapabilities({ signal: anySignal(signal, timeout) })
      .catch(() => signal.throwIfAborted())
  }

  const attempt = (
    { own, ifMatch, index, instruction, makesFile }: EditRequest,
    command: IdempotentCommand,
  ) =>
    startRun(own, command, async (client, found) => {
      const locked = await readFree(client, found)
      checkRevision(readChangeable(locked).revision, ifMatch)
      if (index >= locked.slidesDone) throw new Problem('NOT_FOUND')
      if (presenton.knownCapabilities()?.edit === false) throw new Problem('NOT_SUPPORTED')
      checkQueue(await countQueued(client, [own.userId]), own.userId, queue)
      const useId = await takeEdit(client, own.userId, editsPerDay)
      await insertEdit(client, { presentationId: own.id, slideIndex: index, instruction, useId })
      await queueEdit(client, locked, { makesFile })
    })

  /**
   * @throws Problem NOT_FOUND, CONFLICT, NOT_SUPPORTED, REVISION_CONFLICT, QUOTA_EXCEEDED,
   * QUEUE_FULL, IDEMPOTENCY_KEY_REUSED
   */
  return async function startEdit(
    request: EditRequest,
    command: IdempotentCommand,
  ): Promise<IdempotentResponse> {
    const { signal } = request
    await learnCapabilities(signal)
    return whenDeckIsFree(signal, () => attempt(request, command))
  }
}
