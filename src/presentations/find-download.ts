import type { Download, ExportFormat } from '../contract/presentation.ts'
import { Problem } from '../domain/problem.ts'
import type { PresentationRow } from './statements/queries.ts'
import { downloadView, type Presign } from './view.ts'

export interface FindDownload {
  findPresentation: (owned: { userId: string; id: string }) => Promise<PresentationRow | undefined>
  presign: Presign
}

/**
 * A fresh link to a finished file. Without a format: the brief's, else the one that exists.
 * @throws Problem NOT_FOUND, NOT_READY
 */
export function createFindDownload({ findPresentation, presign }: FindDownload) {
  return async function findDownload(
    own: { userId: string; id: string },
    format: ExportFormat | undefined,
  ): Promise<Download> {
    const row = await findPresentation(own)
    if (!row) throw new Problem('NOT_FOUND')
    const file =
      row.files.find((stored) => stored.format === (format ?? row.exportAs)) ??
      (format === undefined ? row.files[0] : undefined)
    if (!file) throw new Problem('NOT_READY')
    return downloadView({ title: row.title, file }, presign)
  }
}
