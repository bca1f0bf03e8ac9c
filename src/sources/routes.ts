// All routes of sources, and what they need.

import type { App } from '../http/base.ts'
import { type DeleteSource, deleteSourceRoute } from './routes/delete-source.ts'
import { type DownloadSource, downloadSourceRoute } from './routes/download-source.ts'
import { type ListSources, listSourcesRoute } from './routes/list-sources.ts'
import { type ReadSource, readSourceRoute } from './routes/read-source.ts'
import { type UploadSources, uploadSourcesRoute } from './routes/upload-sources.ts'

export type SourceServices = Omit<UploadSources, 'maxRequestBytes'> &
  ListSources &
  ReadSource &
  DownloadSource &
  DeleteSource

/** For a scope that requires a caller. */
export async function sourceRoutes(
  scope: App,
  { sources, maxRequestBytes }: { sources: SourceServices; maxRequestBytes: number },
): Promise<void> {
  listSourcesRoute(scope, sources)
  readSourceRoute(scope, sources)
  downloadSourceRoute(scope, sources)
  deleteSourceRoute(scope, sources)
  await scope.register(async (uploads: App) =>
    uploadSourcesRoute(uploads, { ...sources, maxRequestBytes }),
  )
}
