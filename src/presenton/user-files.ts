// Documents and images of users: what they upload, and what upstream reads out of it.

import type { Calls } from './calls.ts'
import { createDocumentTexts } from './document-texts.ts'
import type { PerformOperation } from './operation.ts'
import { createSourceUploads } from './source-uploads.ts'
import { createUserImages } from './user-images.ts'

export interface UserFilesOptions {
  calls: Calls
  perform: PerformOperation
  timeouts: { createMs: number; prepareMs: number }
}

export function createUserFiles({ calls, perform, timeouts }: UserFilesOptions) {
  const { createMs, prepareMs } = timeouts
  return {
    ...createSourceUploads({ calls, perform, timeoutMs: prepareMs }),
    ...createDocumentTexts({ calls, perform, timeoutMs: createMs }),
    ...createUserImages({ calls, perform, timeoutMs: createMs, uploadTimeoutMs: prepareMs }),
  }
}
