// A row as its owner sees it on the wire: snake_case, absolute links, every key present.

import type { PresentationRow } from '../database/presentations.ts'
import type { Presentation } from '../domain/presentation.ts'
import type { ProblemCode } from '../domain/problem.ts'
import type { Stage } from '../domain/stage.ts'

export interface ViewOptions {
  /** Base of all links, without a slash at its end. */
  publicUrl: string
  /** The product's own page, `{id}` in it standing for the presentation's id. */
  appLink: string | undefined
}

export const apiPrefix = '/api/v1'

export function presentationView(row: PresentationRow, { publicUrl, appLink }: ViewOptions): Presentation {
  const self = `${publicUrl}${apiPrefix}/presentations/${row.id}`
  return {
    id: row.id,
    presenton_presentation_id: row.presentonPresentationId,
    title: row.title,
    status: row.status,
    stage: row.stage as Stage | null,
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
    files: row.files.map((file) => ({
      format: file.format,
      size_bytes: file.sizeBytes,
      sha256: file.sha256,
      content_type: file.contentType,
      stored_at: time(file.storedAt),
    })),
    error: row.error && { code: row.error.code as ProblemCode, detail: row.error.detail, retryable: row.error.retryable },
    queue_position: row.queuePosition,
    created_at: time(row.createdAt),
    updated_at: time(row.updatedAt),
    started_at: row.startedAt && time(row.startedAt),
    completed_at: row.completedAt && time(row.completedAt),
    links: {
      self,
      events: `${self}/events`,
      download: row.files.length > 0 ? `${self}/download` : null,
      app: appLink === undefined ? null : appLink.replaceAll('{id}', row.id),
    },
  }
}

function time(value: Date | string): string {
  return new Date(value).toISOString()
}
