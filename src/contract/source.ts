// Sources on the wire: documents that a user has uploaded, and the types that are taken.

import Type, { type Static } from 'typebox'
import { count, nullable, oneOf, text, time } from './member-schemas.ts'

const openDocument = 'application/vnd.oasis.opendocument'
const officeOpenXml = 'application/vnd.openxmlformats-officedocument'

/** Every content type of a source, with the extension that its files usually have. */
export const sourceExtensions = {
  'application/pdf': 'pdf',
  [`${officeOpenXml}.presentationml.presentation`]: 'pptx',
  [`${officeOpenXml}.wordprocessingml.document`]: 'docx',
  [`${officeOpenXml}.spreadsheetml.sheet`]: 'xlsx',
  [`${openDocument}.text`]: 'odt',
  [`${openDocument}.spreadsheet`]: 'ods',
  [`${openDocument}.presentation`]: 'odp',
  'application/rtf': 'rtf',
  'image/png': 'png',
  'image/jpeg': 'jpg',
  'image/webp': 'webp',
  'text/plain': 'txt',
  'text/markdown': 'md',
  'text/csv': 'csv',
  'text/tab-separated-values': 'tsv',
} as const

export type SourceType = keyof typeof sourceExtensions

export const sourceTypes = Object.keys(sourceExtensions) as SourceType[]

export const maxSourcesPerRequest = 10
/** Unicode code points. */
export const maxSourceNameChars = 200

export const sourceSchema = Type.Object(
  {
    id: Type.String({ format: 'uuid' }),
    name: text('The name of the file, without its path.'),
    content_type: oneOf(sourceTypes, 'Recognised from the content.'),
    size_bytes: count(),
    sha256: text('Of the whole file, in hexadecimal.'),
    created_at: time(),
    links: Type.Object({ self: text(), download: text() }),
  },
  { $id: 'Source', title: 'Source' },
)
export type Source = Static<typeof sourceSchema>

export const sourceRef = Type.Unsafe<Source>({ $ref: 'Source#' })

export const uploadedSourcesSchema = Type.Object(
  { items: Type.Array(sourceRef, { description: 'In the order of the uploaded files.' }) },
  { title: 'UploadedSources' },
)

export const sourcePageSchema = Type.Object(
  {
    items: Type.Array(sourceRef),
    next_cursor: nullable(text('For the next page; null on the last one.')),
  },
  { title: 'SourcePage' },
)

/** The body of an upload, for OpenAPI: it is read as a stream and never validated as a whole. */
export const uploadBodySchema = {
  type: 'object',
  required: ['files'],
  properties: {
    files: {
      type: 'array',
      minItems: 1,
      maxItems: maxSourcesPerRequest,
      items: { type: 'string', format: 'binary' },
      description: 'Each file is a part of this name.',
    },
  },
  additionalProperties: false,
  examples: [{ files: ['%PDF-1.7 …'] }],
}

const id = '6f1c9c0a-2c0e-4f39-9a42-5be1f0a6b3d7'
const self = `https://slides.example/api/v1/sources/${id}`

export const sourceExample: Source = {
  id,
  name: 'Harbour report.pdf',
  content_type: 'application/pdf',
  size_bytes: 184_320,
  sha256: '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08',
  created_at: '2026-11-27T09:30:00.000Z',
  links: { self, download: `${self}/download` },
}
