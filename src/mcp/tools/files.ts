// Tools for the files of a finished deck.

import Type from 'typebox'
import { downloadSchema, exportFormatSchema } from '../../contract/presentation.ts'
import { createFindDownload } from '../../presentations/find-download.ts'
import { createAcceptedResponse } from '../../presentations/respond.ts'
import type { PresentationServices } from '../../presentations/routes.ts'
import { readToolKey } from '../idempotency.ts'
import { presentationResultSchema, startedResult } from '../presentation-result.ts'
import { additive, defineTool, readOnly } from '../tool.ts'
import type { WaitForRun } from '../wait.ts'
import { idMember, keyMember, readId } from './inputs.ts'

export interface FileTools
  extends Pick<PresentationServices, 'exportAgain' | 'findPresentation' | 'presign' | 'view'> {
  waitForRun: WaitForRun
}

export function fileTools(options: FileTools) {
  const { exportAgain, findPresentation, presign, view, waitForRun } = options
  const respond = createAcceptedResponse(view)
  const findDownload = createFindDownload({ findPresentation, presign })

  const exportName = 'export_presentation'
  const exportTool = defineTool({
    name: exportName,
    title: 'Export a presentation',
    description: 'Makes a further file of a completed deck, as pptx or pdf.',
    annotations: additive,
    input: Type.Object(
      { id: idMember, format: exportFormatSchema, idempotency_key: keyMember },
      { additionalProperties: false },
    ),
    output: presentationResultSchema,
    async call({ id, format, idempotency_key }, call) {
      const own = { userId: call.userId, id: readId(id) }
      const idempotency = readToolKey(exportName, idempotency_key, { id: own.id, format })
      const started = await exportAgain(own, format, { idempotency, respond })
      const readNow = async () => view(await waitForRun(own.id, 0, call))
      return startedResult(started, readNow, 'This idempotency_key started this export before.')
    },
  })

  const { url, expires_at, file_name } = downloadSchema.properties
  const getLink = defineTool({
    name: 'get_download_link',
    title: 'Get a download link',
    description: 'A link to the finished file that works without signing in, for some minutes.',
    annotations: readOnly,
    input: Type.Object(
      { id: idMember, format: Type.Optional(exportFormatSchema) },
      { additionalProperties: false },
    ),
    output: Type.Object({ url, expires_at, file_name }),
    async call({ id, format }, { userId }) {
      const found = await findDownload({ userId, id: readId(id) }, format)
      const link = { url: found.url, expires_at: found.expires_at, file_name: found.file_name }
      return { structured: link, text: `${link.url} (until ${link.expires_at})` }
    },
  })
  return [exportTool, getLink]
}
