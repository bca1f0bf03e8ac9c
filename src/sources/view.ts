// A source in its wire form: snake_case, absolute links.

import type { Source } from '../contract/source.ts'
import type { SourceRow } from './statements.ts'

/** `baseUrl` is that of the API, without a trailing slash. */
export function sourceView(row: SourceRow, baseUrl: string): Source {
  const self = `${baseUrl}/sources/${row.id}`
  return {
    id: row.id,
    name: row.name,
    content_type: row.contentType,
    size_bytes: row.sizeBytes,
    sha256: row.sha256,
    created_at: new Date(row.createdAt).toISOString(),
    links: { self, download: `${self}/download` },
  }
}
