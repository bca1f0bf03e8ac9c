// One presentation in the states that responses show, for OpenAPI.

import type { Download, Presentation, PresentationPage } from './presentation.ts'

const id = '1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed'
const self = `https://slides.example/api/v1/presentations/${id}`
const sha256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'
const contentType = 'application/vnd.openxmlformats-officedocument.presentationml.presentation'

export const queuedExample: Presentation = {
  id,
  presenton_presentation_id: null,
  origin: 'api',
  title: 'Second quarter',
  status: 'queued',
  stage: null,
  run: 1,
  attempt: 0,
  progress: 0,
  template: 'general',
  language: 'English',
  n_slides: 8,
  slides_done: 0,
  export_as: 'pptx',
  review_outlines: false,
  metadata: { conversation: '4711' },
  sources: [],
  files: [],
  revision: null,
  error: null,
  queue_position: 3,
  estimated_completion: '2026-11-27T09:34:00.000Z',
  created_at: '2026-11-27T09:30:00.000Z',
  updated_at: '2026-11-27T09:30:00.000Z',
  started_at: null,
  completed_at: null,
  links: { self, events: `${self}/events`, download: null, app: null, maker: null },
}

export const completedExample: Presentation = {
  ...queuedExample,
  presenton_presentation_id: '7e0c4f7a-3f0d-4c53-8f5e-0c1f6a1f2b3d',
  status: 'completed',
  stage: null,
  attempt: 1,
  progress: 1,
  slides_done: 8,
  files: [
    {
      format: 'pptx',
      size_bytes: 48_231,
      sha256,
      content_type: contentType,
      stored_at: '2026-11-27T09:32:10.000Z',
      revision: 1,
      stale: false,
    },
  ],
  revision: 1,
  queue_position: null,
  estimated_completion: null,
  updated_at: '2026-11-27T09:32:10.000Z',
  started_at: '2026-11-27T09:30:01.000Z',
  completed_at: '2026-11-27T09:32:10.000Z',
  links: { ...queuedExample.links, download: `${self}/download` },
}

/** A further export of the deck waits. */
export const exportingExample: Presentation = {
  ...completedExample,
  status: 'running',
  stage: 'export',
  run: 2,
  attempt: 0,
  progress: 0,
  started_at: null,
  completed_at: null,
}

/** An edit of one slide waits. */
export const editingExample: Presentation = { ...exportingExample, stage: 'edit' }

export const cancelledExample: Presentation = {
  ...queuedExample,
  status: 'cancelled',
  stage: 'slides',
  attempt: 1,
  progress: 0.5,
  slides_done: 3,
  error: { code: 'CANCELLED', detail: 'The run was cancelled.', retryable: true },
  queue_position: null,
  estimated_completion: null,
  started_at: '2026-11-27T09:30:01.000Z',
  completed_at: '2026-11-27T09:31:00.000Z',
}

export const retriedExample: Presentation = {
  ...queuedExample,
  run: 2,
}

export const approvedExample: Presentation = {
  ...queuedExample,
  stage: 'prepare',
  review_outlines: true,
  progress: 0.25,
  started_at: '2026-11-27T09:30:01.000Z',
}

export const presentationPageExample: PresentationPage = {
  items: [completedExample],
  next_cursor: 'MjAyNi0xMS0yN1QwOTozMDowMC4wMDBaIDFiOWQ2YmNkLWJiZmQtNGIyZC05YjVkLWFiOGRmYmJkNGJlZA',
}

export const downloadExample: Download = {
  url: `https://files.example/presentations/alice/${id}.pptx?X-Amz-Expires=900&X-Amz-Signature=0`,
  expires_at: '2026-11-27T09:47:00.000Z',
  file_name: 'Second quarter.pptx',
  content_type: contentType,
  size_bytes: 48_231,
  sha256,
}
