// DELETE /presentations/{id}: the row is deleted at once; its files and upstream decks are removed
// in the background.

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
      'Cancels its run, closes its streams, and removes its files and its decks in the generator.',
    params: idParams,
    response: { 204: emptyResponse('Deleted.'), ...problemResponsesOfWrite('NOT_FOUND') },
  }

  app.delete('/presentations/:id', { schema }, async (request, reply) => {
    await remove({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}
