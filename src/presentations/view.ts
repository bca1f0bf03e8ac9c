// A row in its wire form: snake_case, absolute links, every member present.

import type { Download, Presentation } from '../contract/presentation.ts'
import { estimateCompletion } from '../domain/estimate.ts'
import { downloadFileName } from '../objects/file-name.ts'
import type { PresentationRow, StoredFile } from './statements/queries.ts'

export interface ViewOptions {
  /** The base of all links, without a trailing slash. */
  publicUrl: string
  /** The URL of the product's own page; `{id}` in it becomes the id. */
  appLink: string | undefined
  /** Without a slash at the end; null: there is no slide maker. */
  makerUrl: string | null
}

export const apiPrefix = '/api/v1'

export const presentationUrl = (publicUrl: string, id: string) =>
  `${publicUrl}${apiPrefix}/presentations/${id}`

/** A lasting link: with a session there it leads to the editor. */
export const makerLink = (makerUrl: string, id: string) => `${makerUrl}/open/${id}`

export function presentationView(
  row: PresentationRow,
  { publicUrl, appLink, makerUrl }: ViewOptions,
): Presentation {
  const estimatedCompletion = estimateCompletion(row)
  const self = presentationUrl(publicUrl, row.id)
  return {
    id: row.id,
    presenton_presentation_id: row.deckId,
    origin: row.origin,
    title: row.title,
    status: row.status,
    stage: row.stage,
    run: row.run,
    attempt: row.attempt,
    progress: row.progress,
    template: row.template,
    language: row.language,
    n_slides: row.nSlides,
    slides_done: row.slidesDone,
    export_as: row.exportAs,
    review_outlines: row.reviewOutlines,
    metadata: row.metadata,
    sources: row.sources,
    files: row.files.map((file) => ({
      format: file.format,
      size_bytes: file.sizeBytes,
      sha256: file.sha256,
      content_type: file.contentType,
      stored_at: time(file.storedAt),
      revision: file.revision,
      stale: file.revision < (row.revision ?? 1),
    })),
    revision: row.revision,
    error: row.error,
    queue_position: row.queuePosition,
    estimated_completion: estimatedCompletion && time(estimatedCompletion),
    created_at: time(row.createdAt),
    updated_at: time(row.updatedAt),
    started_at: row.startedAt && time(row.startedAt),
    completed_at: row.completedAt && time(row.completedAt),
    links: {
      self,
      events: `${self}/events`,
      download: row.files.length > 0 ? `${self}/download` : null,
      app: appLink === undefined ? null : appLink.replaceAll('{id}', row.id),
      maker: makerUrl !== null && row.account !== null ? makerLink(makerUrl, row.id) : null,
    },
  }
}

export type Presign = (file: {
  key: string
  fileName: string
  contentType: string
}) => Promise<{ url: string; expiresAt: Date }>

/** A fresh link to a file, for the download route and the `complete` event. */
export async function downloadView(
  { title, file }: { title: string | null; file: StoredFile },
  presign: Presign,
): Promise<Download> {
  const fileName = downloadFileName(title, file.format)
  const { url, expiresAt } = await presign({
    key: file.objectKey,
    fileName,
    contentType: file.contentType,
  })
  return {
    url,
    expires_at: expiresAt.toISOString(),
    file_name: fileName,
    content_type: file.contentType,
    size_bytes: file.sizeBytes,
    sha256: file.sha256,
  }
}

function time(value: Date | string): string {
  return new Date(value).toISOString()
}
