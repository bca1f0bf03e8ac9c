// What upstream reads out of an uploaded document: it runs OCR and an office suite for minutes, and
// leaves a text file beside the upload, which its own server of pages then returns.

import { Type } from 'typebox'
import { Check } from 'typebox/value'
import type { CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import { paths } from './dialect.ts'
import { fault } from './failures.ts'
import type { PerformOperation } from './operation.ts'

export interface DocumentTextsOptions {
  calls: Calls
  perform: PerformOperation
  timeoutMs: number
}

export interface DocumentCall extends CallOptions {
  /** The document as `uploadSource` returned it. */
  path: string
  language: string | null
  timeoutMs: number
}

const Decomposed = Type.Array(
  Type.Object({ file_path: Type.String({ minLength: 1, maxLength: 4096 }) }),
  { minItems: 1, maxItems: 1 },
)
const Read = Type.Object({ content: Type.String() })

export function createDocumentTexts({ calls, perform, timeoutMs }: DocumentTextsOptions) {
  return {
    /** The text of one document. Its signal bounds the whole. */
    readDocument: ({ path, language, ...call }: DocumentCall): Promise<string> =>
      perform({ operation: 'decompose', signal: call.signal }, async ({ auth }) => {
        const { account, signal } = call
        const common = { account, signal, auth, routeKind: 'other', method: 'POST' } as const
        const decomposed = await calls.fetchJson({
          ...common,
          isCheap: true,
          isSlow: true,
          timeoutMs: call.timeoutMs,
          path: paths.decompose,
          json: { file_paths: [path], language },
        })
        const [file] = Check(Decomposed, decomposed) ? decomposed : []
        if (!file) throw fault('the reply to a decomposition has an unexpected shape')
        const read = await calls.fetchJson({
          ...common,
          isCheap: true,
          timeoutMs,
          path: paths.readFile,
          json: { filePath: file.file_path },
        })
        if (!Check(Read, read)) throw fault('the text of a document has an unexpected shape')
        return read.content
      }),
  }
}
