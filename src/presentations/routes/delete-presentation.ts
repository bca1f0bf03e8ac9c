// DELETE /presentations/{id}: gone at once for everybody who asks; its files and upstream decks
// follow from a queue.

import type { App } from '../../http/base.ts'
import { emptyResponse, idParams, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'

export type DeletePresentation = Pick<PresentationCommands, 'remove'>

export function deletePresentationRoute(app: App, { remove }: DeletePresentation) {
  const schema = {
    operationId: 'removePresentation',
    tags: ['presentations'],
    summary: 'Delete one presentation',
    description:
      'Cancels its run, closes its streams, and removes its files and what the generator holds of it.',
    params: idParams,
    response: { 204: emptyResponse('It is gone.'), ...problemResponsesOfWrite('NOT_FOUND') },
  }

  app.delete('/presentations/:id', { schema }, async (request, reply) => {
    await remove({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}
