// Starts a run in which the model changes one slide of a finished deck. It waits for a change of the
// deck that is under way; from then on no other change is accepted.

import { jitterMs } from '../../async/backoff.ts'
import { anySignal, sleep } from '../../async/signals.ts'
import { freeDeck } from '../../database/deck-changes.ts'
import { takeEdit } from '../../database/edit-quota.ts'
import type { IdempotentResponse } from '../../database/idempotency.ts'
import { insertEdit } from '../../database/slide-edits.ts'
import { Problem } from '../../domain/problem.ts'
import type { IfMatch } from '../../http/preconditions.ts'
import type { Presenton } from '../../presenton/client.ts'
import { checkQueue, type QueueLimits } from '../accept.ts'
import {
  createStartRun,
  type IdempotentCommand,
  type OwnedPresentation,
  type StartRunOptions,
} from '../start-run.ts'
import { countQueued } from '../statements/insert.ts'
import { lockPresentation, queueEdit } from '../statements/transitions.ts'
import { checkRevision, readChangeable } from './check-revision.ts'

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

const maxWaitMs = 10_000
const pollMs = 100
/** For the question to a generator that was not asked before. */
const capabilitiesTimeoutMs = 3_000

/** Another change of the deck is under way. */
const deckTaken = Symbol('deck taken')

export function createStartEdit(options: StartEditOptions) {
  const { presenton, queue, editsPerDay } = options
  const startRun = createStartRun(options)

  /** A version that is not known is asked by the run. */
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
    startRun(own, command, async (client, { status }) => {
      if (status !== 'completed') throw new Problem('CONFLICT')
      if ((await freeDeck(client, own.id)) === 'taken') throw deckTaken
      // A change whose holder was lost may just have been counted.
      const locked = await lockPresentation(client, own)
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
    const deadlineMs = performance.now() + maxWaitMs
    for (;;) {
      try {
        return await attempt(request, command)
      } catch (error) {
        if (error !== deckTaken) throw error
      }
      const leftMs = deadlineMs - performance.now()
      if (leftMs <= 0) {
        const cause = new Error('Another change of the deck takes too long.')
        throw new Problem('CONFLICT', { cause, retryAfterSeconds: 1 })
      }
      await sleep(Math.min(leftMs, jitterMs(pollMs)), signal)
    }
  }
}
