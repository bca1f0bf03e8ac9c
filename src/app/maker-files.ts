// The handlers of documents and images in the slide maker, with what they need.

import type { Config } from '../config/config.ts'
import type { Handlers } from '../maker/exchange.ts'
import { createFileHandlers } from '../maker/files/handlers.ts'
import { createResolveFiles } from '../maker/files/resolve-files.ts'
import type { ResolveFiles } from '../maker/paid/uploaded-files.ts'
import { createScan } from '../sources/clamd.ts'
import type { SourceServices } from '../sources/routes.ts'
import type { Adapters } from './adapters.ts'

export interface MakerFilesOptions {
  config: Pick<Config, 'sources' | 'leaseMs'>
  adapters: Pick<Adapters, 'database' | 'objects' | 'presenton'>
  features: { sources: Pick<SourceServices, 'upload'> }
}

export function createMakerFiles({ config, adapters, features }: MakerFilesOptions): {
  handlers: Handlers
  resolveFiles: ResolveFiles
} {
  const { leaseMs } = config
  const { maxRequestBytes, maxSourceBytes, scanner } = config.sources
  return {
    handlers: createFileHandlers({
      ...adapters,
      upload: features.sources.upload,
      maxRequestBytes,
      leaseMs,
      maxImageBytes: maxSourceBytes,
      scan: scanner && createScan(scanner),
    }),
    resolveFiles: createResolveFiles(adapters),
  }
}
