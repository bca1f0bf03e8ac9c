// DELETE /presentations/{id}: gone at once for everybody who asks; its files and upstream decks follow from a queue.

import type { Life } from '../../generation/life.ts'
import type { App } from '../base.ts'
import { emptyAnswer, idParams, problemAnswersOfWrite } from '../schemas.ts'

export type RemovePresentation = Pick<Life, 'remove'>

export function removePresentationRoute(app: App, { remove }: RemovePresentation) {
  const schema = {
    operationId: 'removePresentation',
    tags: ['presentations'],
    summary: 'Delete one presentation',
    description: 'Cancels its run, closes its streams, and removes its files and what the generator holds of it.',
    params: idParams,
    response: { 204: emptyAnswer('It is gone.'), ...problemAnswersOfWrite('NOT_FOUND') },
  }

  app.delete('/presentations/:id', { schema }, async (request, reply) => {
    await remove({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}
