// Uploads documents for a deck. Upstream keeps them in temporary files, which it removes at each of
// its starts, and names them by paths of its disk: such a handle is only ever sent back to it.

import { Type } from 'typebox'
import { Check } from 'typebox/value'
import { type SourceType, sourceExtensions } from '../contract/source.ts'
import { Problem } from '../domain/problem.ts'
import type { CallOptions } from './account.ts'
import type { Calls } from './calls.ts'
import { type Features, paths } from './dialect.ts'
import { fault, type ResponseCause, rejected } from './failures.ts'
import { createForm } from './form.ts'
import type { PerformOperation } from './operation.ts'
import { sourceTypesOf } from './source-types.ts'

export interface SourceUpload {
  contentType: SourceType
  /** Undefined where it is only known at the end. */
  sizeBytes: number | undefined
  /** Called again for another attempt, such as after a new login. */
  open: () => AsyncIterable<Uint8Array>
}

interface SourceUploadsOptions {
  calls: Calls
  perform: PerformOperation
  timeoutMs: number
}

const Handles = Type.Array(Type.String({ minLength: 1, maxLength: 4096 }), {
  minItems: 1,
  maxItems: 1,
})

export function createSourceUploads({ calls, perform, timeoutMs }: SourceUploadsOptions) {
  return {
    /**
     * Uploads one document, and returns its handle.
     *
     * @throws Problem UPSTREAM_REJECTED for a type that the version does not take
     */
    uploadSource: (options: CallOptions & SourceUpload): Promise<string> =>
      perform({ operation: 'upload', signal: options.signal }, async (features: Features) => {
        const { account, signal, contentType, sizeBytes, open } = options
        if (!sourceTypesOf(features).includes(contentType))
          throw rejected(`It cannot read files of the type ${contentType}.`)
        const extension = sourceExtensions[contentType]
        const form = createForm({ part: 'files', extension, contentType, sizeBytes, open })
        const handles = await calls.fetchJson({
          account,
          signal,
          auth: features.auth,
          timeoutMs,
          routeKind: 'other',
          isCheap: true,
          method: 'POST',
          path: paths.upload,
          ...form,
        })
        const [handle] = Check(Handles, handles) ? handles : []
        if (handle === undefined) throw fault('the reply to an upload has an unexpected shape')
        return handle
      }),
  }
}

/** Whether upstream no longer has an uploaded file. */
export function hasLostFiles(error: unknown): error is Problem {
  if (!(error instanceof Problem)) return false
  const { status, reason } = (error.cause ?? {}) as Partial<ResponseCause>
  return status === 404 && /file not found/i.test(reason ?? '')
}

/** A deck whose uploaded files are gone can be made with new ones: a fault, no refusal. */
export const asLostFiles = (error: unknown): unknown =>
  hasLostFiles(error) ? fault('the uploaded files are gone', { cause: error.cause }) : error
