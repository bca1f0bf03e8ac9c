// From handles to sources, and from sources to what upstream calls them now. Upstream removes its
// files at each of its starts, so each use sends the document from the store again.

import type { Database } from '../../database/connection.ts'
import { Problem } from '../../domain/problem.ts'
import { openSource } from '../../objects/open-source.ts'
import type { ObjectStore } from '../../objects/store.ts'
import type { Presenton } from '../../presenton/client.ts'
import type { SourceRow } from '../../sources/statements.ts'
import type { FilesRequest, ResolvedFiles, ResolveFiles } from '../paid/uploaded-files.ts'
import { parseHandle } from './handles.ts'
import { findOwnSources } from './statements.ts'

export interface ResolveFilesOptions {
  database: Pick<Database, 'query'>
  objects: Pick<ObjectStore, 'readRange'>
  presenton: Pick<Presenton, 'uploadSource' | 'checkCircuit'>
}

/**
 * The sources that the handles name, each once, in their order.
 *
 * @throws Problem NOT_FOUND for a text that is not a handle, or names no source of this user
 */
export async function findSources(
  database: Pick<Database, 'query'>,
  { owner, handles }: Pick<FilesRequest, 'owner' | 'handles'>,
): Promise<SourceRow[]> {
  const named = handles.map(parseHandle)
  const ids = [...new Set(named.map((handle) => handle?.sourceId ?? unknown()))]
  const rows = await findOwnSources(database, { userId: owner, ids })
  const byId = new Map(rows.map((row) => [row.id, row]))
  for (const handle of named) if (byId.get(handle?.sourceId ?? '')?.name !== handle?.name) unknown()
  return ids.map((id) => byId.get(id) ?? unknown())
}

function unknown(): never {
  throw new Problem('NOT_FOUND')
}

/** Sends documents to upstream, one after the other; returns what it calls them. */
export async function uploadUpstream(
  { objects, presenton }: Pick<ResolveFilesOptions, 'objects' | 'presenton'>,
  sources: SourceRow[],
  { account, signal }: Pick<FilesRequest, 'account' | 'signal'>,
): Promise<string[]> {
  presenton.checkCircuit()
  const paths: string[] = []
  for (const source of sources) {
    const { contentType } = source
    const file = await openSource({ objects, signal }, source)
    paths.push(await presenton.uploadSource({ account, signal, contentType, ...file }))
  }
  return paths
}

export function createResolveFiles(options: ResolveFilesOptions): ResolveFiles {
  return async function resolveFiles(request): Promise<ResolvedFiles> {
    const sources = await findSources(options.database, request)
    const paths = await uploadUpstream(options, sources, request)
    return { sources: sources.map(({ id }) => id), paths }
  }
}
