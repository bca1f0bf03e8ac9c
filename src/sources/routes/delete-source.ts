// DELETE /sources/{id}: gone for its user at once; its object goes when no presentation needs it.

import type { App } from '../../http/base.ts'
import { emptyResponse, idParams, problemResponsesOfWrite } from '../../http/schemas.ts'

export interface DeleteSource {
  /** @throws Problem NOT_FOUND */
  removeSource: (own: { userId: string; id: string }) => Promise<void>
}

export function deleteSourceRoute(app: App, { removeSource }: DeleteSource) {
  const schema = {
    operationId: 'removeSource',
    tags: ['sources'],
    summary: 'Delete one source',
    description:
      'Its file stays while a presentation that names it is unfinished or can be retried.',
    params: idParams,
    response: { 204: emptyResponse('Deleted.'), ...problemResponsesOfWrite('NOT_FOUND') },
  }

  app.delete('/sources/:id', { schema }, async (request, reply) => {
    await removeSource({ userId: request.caller.userId, id: request.params.id })
    return reply.code(204).send()
  })
}
