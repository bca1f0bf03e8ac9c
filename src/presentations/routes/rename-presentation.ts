// PATCH /presentations/{id}: changes the title, and with it the file name of downloads.

import Type from 'typebox'
import { titleSchema } from '../../contract/brief.ts'
import { type Presentation, presentationRef } from '../../contract/presentation.ts'
import { completedExample } from '../../contract/presentation-examples.ts'
import { Problem } from '../../domain/problem.ts'
import type { App } from '../../http/base.ts'
import { idParams, jsonResponse, problemResponsesOfWrite } from '../../http/schemas.ts'
import type { PresentationCommands } from '../commands.ts'
import { hasText } from '../read-brief.ts'
import type { PresentationRow } from '../statements/queries.ts'

export interface RenamePresentation extends Pick<PresentationCommands, 'rename'> {
  view: (row: PresentationRow) => Presentation
}

export function renamePresentationRoute(app: App, { view, rename }: RenamePresentation) {
  const schema = {
    operationId: 'renamePresentation',
    tags: ['presentations'],
    summary: 'Rename one presentation',
    description: 'In any state. Later downloads use the new name.',
    params: idParams,
    body: Type.Object(
      { title: titleSchema({ minLength: 1 }) },
      { additionalProperties: false, examples: [{ title: 'Second quarter' }] },
    ),
    response: {
      200: jsonResponse(presentationRef, {
        description: 'The renamed presentation.',
        example: completedExample,
      }),
      ...problemResponsesOfWrite('NOT_FOUND'),
    },
  }

  app.patch('/presentations/:id', { schema }, async (request) => {
    const { title } = request.body
    if (!hasText(title))
      throw new Problem('VALIDATION_FAILED', {
        errors: [{ path: '/title', message: 'must not be blank' }],
      })
    return view(await rename({ userId: request.caller.userId, id: request.params.id }, title))
  })
}
