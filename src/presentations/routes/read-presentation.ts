// GET /presentations/{id}: one presentation; with `wait`, once something has come of its run.

import Type from 'typebox'
import { anySignal } from '../../async/signals.ts'
import type { Presentation } from '../../contract/presentation.ts'
import { presentationRef } from '../../contract/presentation.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { idParams, problemResponses } from '../../http/schemas.ts'
import type { PresentationRow } from '../statements/queries.ts'

const maxWaitSeconds = 60

interface Wanted {
  userId: string
  id: string
}

export interface ReadPresentation {
  view: (row: PresentationRow) => Presentation
  findPresentation: (wanted: Wanted) => Promise<PresentationRow | undefined>
  /**
   * Resolves when it is neither queued nor running, or after `timeoutMs` with how it is then;
   * rejects when the signal aborts.
   */
  waitUntilSettled: (
    wanted: Wanted & { timeoutMs: number; signal: AbortSignal },
  ) => Promise<PresentationRow | undefined>
  /** Aborts when the service shuts down: those who wait are answered then. */
  closing: AbortSignal
}

export function readPresentationRoute(
  app: App,
  { view, findPresentation, waitUntilSettled, closing }: ReadPresentation,
) {
  const schema = {
    operationId: 'readPresentation',
    tags: ['presentations'],
    summary: 'Read one presentation',
    params: idParams,
    querystring: Type.Object({
      wait: Type.Optional(
        Type.Integer({
          minimum: 1,
          maximum: maxWaitSeconds,
          description: 'Answer when it is neither queued nor running, or after so many seconds.',
        }),
      ),
    }),
    response: { 200: presentationRef, ...problemResponses('NOT_FOUND') },
  }

  app.get('/presentations/:id', { schema }, async (request, reply) => {
    const wanted = { userId: request.caller.userId, id: request.params.id }
    const { wait } = request.query
    const row = await (wait === undefined
      ? findPresentation(wanted)
      : settled(wanted, wait * 1000, disconnectSignal(reply)))
    if (!row) throw new Problem('NOT_FOUND')
    return view(row)
  })

  async function settled(wanted: Wanted, timeoutMs: number, left: AbortSignal) {
    try {
      return await waitUntilSettled({ ...wanted, timeoutMs, signal: anySignal(left, closing) })
    } catch (error) {
      if (!closing.aborted || error instanceof Problem) throw error
      return findPresentation(wanted)
    }
  }
}
