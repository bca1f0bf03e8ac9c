// The presentation on the wire: its statuses, its members, and a page of a list. Every member is
// always present, null where there is nothing.

import Type, { type Static } from 'typebox'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'
import { problemCodes } from './problem.ts'
import { stages } from './stages.ts'

export const exportFormats = ['pptx', 'pdf'] as const
export type ExportFormat = (typeof exportFormats)[number]

export const statuses = [
  'queued',
  'running',
  'awaiting_outlines',
  'completed',
  'failed',
  'cancelled',
] as const
export type Status = (typeof statuses)[number]

/** Where a presentation was asked for. */
export const origins = ['api', 'maker', 'mcp'] as const
export type Origin = (typeof origins)[number]

export const statusSchema = oneOf(statuses)
export const exportFormatSchema = oneOf(exportFormats)

const fileSchema = Type.Object({
  format: exportFormatSchema,
  size_bytes: count(),
  sha256: text('Of the whole file, in hexadecimal.'),
  content_type: text(),
  stored_at: time(),
  revision: Type.Integer({ minimum: 1, description: 'Of the deck when its export began.' }),
  stale: Type.Boolean({ description: 'The deck has changed since.' }),
})

export const runErrorSchema = Type.Object({
  code: oneOf(problemCodes),
  detail: text(),
  retryable: Type.Boolean({ description: 'Whether a retry can help.' }),
})

export const namedSourceSchema = Type.Object({ id: Type.String({ format: 'uuid' }), name: text() })

export const linksSchema = Type.Object({
  self: text(),
  events: text('The event stream.'),
  download: nullable(text('Null until a file is stored.')),
  app: nullable(text("The product's own page for this deck.")),
  maker: nullable(text('Opens the deck in the slide maker; null where there is none for it.')),
})

export const presentationSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    presenton_presentation_id: nullable(text('Its id in Presenton.')),
    origin: oneOf(origins),
    title: nullable(text("The brief's, else the generator's.")),
    status: statusSchema,
    stage: nullable(oneOf(stages)),
    run: Type.Integer({
      minimum: 0,
      description: 'Number of the latest run; 0 for a deck that no run has made.',
    }),
    attempt: count('Starts of the current stage in this run.'),
    progress: Type.Number({ minimum: 0, maximum: 1, description: 'Never falls within a run.' }),
    template: text(),
    language: text(),
    n_slides: Type.Integer({ minimum: 1 }),
    slides_done: count(),
    export_as: exportFormatSchema,
    review_outlines: Type.Boolean(),
    metadata: Type.Unsafe<Record<string, string>>({
      type: 'object',
      additionalProperties: { type: 'string' },
    }),
    sources: Type.Array(namedSourceSchema, {
      description: 'Of the brief, also those that were deleted since.',
    }),
    files: Type.Array(fileSchema),
    revision: nullable(
      Type.Integer({
        minimum: 1,
        description: 'Counts the changes of the finished deck, from 1; null before it is finished.',
      }),
    ),
    error: nullable(runErrorSchema),
    queue_position: nullable(Type.Integer({ minimum: 1, description: 'While queued.' })),
    estimated_completion: nullable(
      time(
        'At the pace of the latest runs; null unless queued or running, or while few are known.',
      ),
    ),
    created_at: time(),
    updated_at: time(),
    started_at: nullable(time()),
    completed_at: nullable(time()),
    links: linksSchema,
  },
  { $id: 'Presentation', title: 'Presentation' },
)

export type Presentation = Static<typeof presentationSchema>

export const presentationRef = Type.Unsafe<Presentation>({
  $ref: 'Presentation#',
  description: 'The presentation as it is now.',
})

export const presentationPageSchema = Type.Object(
  {
    items: Type.Array(presentationRef),
    next_cursor: nullable(text('For the next page; null on the last one.')),
  },
  { title: 'PresentationPage' },
)
export type PresentationPage = Static<typeof presentationPageSchema>

export const downloadSchema = Type.Object(
  {
    url: text('A presigned link.'),
    expires_at: time(),
    file_name: text(),
    content_type: text(),
    size_bytes: count(),
    sha256: text(),
  },
  { title: 'Download' },
)
export type Download = Static<typeof downloadSchema>

export const outlinesResponseSchema = Type.Object({
  outlines: Type.Array(Type.String(), { description: 'One for each slide, in Markdown.' }),
  title: nullable(text()),
})
export type OutlinesResponse = Static<typeof outlinesResponseSchema>
