// All handlers of documents and images, by the names of the maker's table.

import type { Handlers } from '../exchange.ts'
import { createImageHandlers, type ImageOptions } from './images.ts'
import { createReadDocuments, type ReadDocuments } from './read-documents.ts'
import { createUploadDocuments, type UploadDocuments } from './upload-documents.ts'

export type FileOptions = UploadDocuments & ReadDocuments & ImageOptions

export function createFileHandlers(options: FileOptions): Handlers {
  return {
    uploadFiles: createUploadDocuments(options),
    ...createReadDocuments(options),
    ...createImageHandlers(options),
  }
}
