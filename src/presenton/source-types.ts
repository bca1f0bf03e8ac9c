// The types of documents that upstream can read, by its features. Shared by the uploads, which
// refuse what the connected version cannot read, and by the capabilities.

import type { Features } from './dialect.ts'

const office = 'application/vnd.openxmlformats-officedocument'
const openDocument = 'application/vnd.oasis.opendocument'

/** 0.5.14 to 0.7.3 look at the content type alone. */
const firstTypes = [
  'application/pdf',
  'text/plain',
  `${office}.presentationml.presentation`,
  `${office}.wordprocessingml.document`,
]

const laterTypes = [
  ...firstTypes,
  'text/markdown',
  'text/csv',
  'text/tab-separated-values',
  `${office}.spreadsheetml.sheet`,
  `${openDocument}.text`,
  `${openDocument}.spreadsheet`,
  `${openDocument}.presentation`,
  'application/rtf',
  'image/png',
  'image/jpeg',
  'image/webp',
]

/** Content types, of those that the gateway accepts as sources. */
export function sourceTypesOf({ templates }: Pick<Features, 'templates'>): string[] {
  return templates === 'groups' ? firstTypes : laterTypes
}
