// All handlers of documents and pictures, by the names of the maker's table.

import type { Handlers } from '../exchange.ts'
import { createUploadDocuments, type UploadDocuments } from './upload-documents.ts'

export interface FileOptions extends UploadDocuments {}

export function createFileHandlers(options: FileOptions): Handlers {
  return { uploadFiles: createUploadDocuments(options) }
}
