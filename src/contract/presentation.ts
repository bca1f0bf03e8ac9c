// The presentation as callers see it: its statuses and its wire form. Every key is always there,
// null where there is nothing.

import Type, { type Static, type TSchema } from 'typebox'
import { problemCodes } from '../domain/problem.ts'
import { stages } from '../domain/stage.ts'
import { exportFormats } from './brief.ts'

export const statuses = [
  'queued',
  'running',
  'awaiting_outlines',
  'completed',
  'failed',
  'cancelled',
] as const
export type Status = (typeof statuses)[number]

function nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

function oneOf<const T extends readonly string[]>(values: T) {
  return Type.Unsafe<T[number]>({ type: 'string', enum: values })
}

const time = (description?: string) =>
  Type.String({ format: 'date-time', ...(description && { description }) })
const text = (description?: string) => Type.String(description ? { description } : {})
const count = (description?: string) =>
  Type.Integer({ minimum: 0, ...(description && { description }) })

export const statusSchema = oneOf(statuses)
export const exportFormatSchema = oneOf(exportFormats)

const fileSchema = Type.Object({
  format: exportFormatSchema,
  size_bytes: count(),
  sha256: text('Of the whole file, in hexadecimal.'),
  content_type: text(),
  stored_at: time(),
})

const runErrorSchema = Type.Object({
  code: oneOf(problemCodes),
  detail: text(),
  retryable: Type.Boolean({ description: 'Whether a retry can help.' }),
})

const linksSchema = Type.Object({
  self: text(),
  events: text('The event stream.'),
  download: nullable(text('There once a file is.')),
  app: nullable(text("The product's own page for this deck.")),
})

export const presentationSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    presenton_presentation_id: nullable(text('Its id in Presenton.')),
    title: nullable(text("The brief's, else the generator's.")),
    status: statusSchema,
    stage: nullable(oneOf(stages)),
    run: Type.Integer({ minimum: 1, description: 'Number of the latest run.' }),
    attempt: count('Starts of the present stage in this run.'),
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
    files: Type.Array(fileSchema),
    error: nullable(runErrorSchema),
    queue_position: nullable(Type.Integer({ minimum: 1, description: 'While queued.' })),
    created_at: time(),
    updated_at: time(),
    started_at: nullable(time()),
    completed_at: nullable(time()),
    links: linksSchema,
  },
  { $id: 'Presentation', title: 'Presentation' },
)

export type Presentation = Static<typeof presentationSchema>
