// GET /presentations/{id}: one presentation, at once or (`wait`) when its run has settled.

import Type from 'typebox'
import { anySignal } from '../../async/signals.ts'
import { type Presentation, presentationRef } from '../../contract/presentation.ts'
import { completedExample } from '../../contract/presentation-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { disconnectSignal } from '../../http/disconnect.ts'
import { idParams, jsonResponse, problemResponses } from '../../http/schemas.ts'
import type { PresentationRow } from '../statements/queries.ts'

const maxWaitSeconds = 60

/** Proxies often time out after 60 s, so a long wait ends early enough to win that race. */
const waitMs = (seconds: number) => (seconds >= 30 ? seconds - 5 : seconds) * 1000

interface OwnedId {
  userId: string
  id: string
}

export interface ReadPresentation {
  view: (row: PresentationRow) => Presentation
  findPresentation: (owned: OwnedId) => Promise<PresentationRow | undefined>
  /** Resolves when it is neither queued nor running, or after `timeoutMs`. */
  waitUntilSettled: (
    owned: OwnedId & {
      timeoutMs: number
      signal: AbortSignal
      onRead?: (row: PresentationRow) => void
    },
  ) => Promise<PresentationRow | undefined>
  /** Aborts when the service shuts down: pending waits are answered then. */
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
          description:
            'Respond when it is neither queued nor running, or after this many seconds; from 30 on up to 5 s earlier.',
        }),
      ),
    }),
    response: {
      200: jsonResponse(presentationRef, {
        description: 'The presentation as it is now.',
        example: completedExample,
      }),
      ...problemResponses('NOT_FOUND'),
    },
  }

  app.get('/presentations/:id', { schema }, async (request, reply) => {
    const owned = { userId: request.caller.userId, id: request.params.id }
    const { wait } = request.query
    const row = await (wait === undefined
      ? findPresentation(owned)
      : waitFor(owned, waitMs(wait), disconnectSignal(reply)))
    if (!row) throw new Problem('NOT_FOUND')
    return view(row)
  })

  async function waitFor(owned: OwnedId, timeoutMs: number, disconnected: AbortSignal) {
    try {
      const signal = anySignal(disconnected, closing)
      return await waitUntilSettled({ ...owned, timeoutMs, signal })
    } catch (error) {
      if (!closing.aborted || error instanceof Problem) throw error
      return findPresentation(owned)
    }
  }
}
