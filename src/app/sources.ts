// The feature of sources: uploads through the store, quotas, an optional virus scanner.

import type { Config } from '../config/config.ts'
import { markSourceDeleted, releaseDeletedSources } from '../database/sources.ts'
import { Problem } from '../domain/problem.ts'
import { createBlockPool } from '../objects/block-pool.ts'
import { apiPrefix } from '../presentations/view.ts'
import { createScan } from '../sources/clamd.ts'
import { createReceiveFile } from '../sources/receive-file.ts'
import type { SourceServices } from '../sources/routes.ts'
import { findSource, listSources } from '../sources/statements.ts'
import { createUploads } from '../sources/upload.ts'
import { sourceView } from '../sources/view.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { Adapters } from './adapters.ts'

export interface SourcesOptions {
  config: Config['sources']
  adapters: Pick<Adapters, 'database' | 'objects'>
  publicUrl: () => string
  presign: SourceServices['presign']
  logger: Logger
  metrics: Pick<Metrics, 'onSourceUpload'>
}

export function createSources({
  config,
  adapters: { database, objects },
  publicUrl,
  presign,
  logger,
  metrics,
}: SourcesOptions): SourceServices {
  const { maxSourceBytes, maxSources, maxTotalBytes, scanner } = config
  const receiveFile = createReceiveFile({
    database,
    objects,
    pool: createBlockPool(),
    scan: scanner && createScan(scanner),
    maxSourceBytes,
  })
  return {
    ...createUploads({
      database,
      objects,
      receiveFile,
      quotas: { maxSources, maxTotalBytes },
      logger,
      onUpload: metrics.onSourceUpload,
    }),
    findSource: (own) => findSource(database, own),
    listSources: (query) => listSources(database, query),
    async removeSource(own) {
      if (!(await markSourceDeleted(database, own))) throw new Problem('NOT_FOUND')
      await releaseDeletedSources(database)
    },
    presign,
    view: (row) => sourceView(row, `${publicUrl()}${apiPrefix}`),
  }
}
