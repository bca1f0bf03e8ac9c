/**
 * Decks with their outlines, slides and exports. Members have the names that they have on the wire.
 */

import { randomUUID } from 'node:crypto'

export type Outline = { content: string }

export type Slide = {
  id: string
  presentation: string
  layout_group: string
  layout: string
  index: number
  content: Record<string, unknown>
  speaker_note: string | null
  ui: unknown
  html_content: string | null
  properties: unknown
}

export type DeckExport = {
  format: 'pptx' | 'pdf'
  /** As in the reply, starting with /app_data/. */
  path: string
  /** The absolute path in the file system. */
  file: string
  size: number
  /** Of the bytes written; a later export may have overwritten the file. */
  sha256: string
  /** False while the file is being written. */
  isComplete: boolean
}

export type Deck = {
  id: string
  /** The id of the user whose deck it is; null for the admin. Not a part of any reply. */
  owner: string | null
  content: string
  n_slides: number
  language: string
  title: string | null
  file_paths: string[] | null
  outlines: Outline[] | null
  layout: unknown
  structure: number[] | null
  instructions: string | null
  tone: string
  verbosity: string
  include_table_of_contents: boolean
  include_title_slide: boolean
  web_search: boolean
  theme: unknown
  fonts: Record<string, string> | null
  /** UTC with microseconds and no zone; replies add the Z where upstream does. */
  created_at: string
  updated_at: string
  slides: Slide[]
  exports: DeckExport[]
}

export type DeckInput = Pick<
  Deck,
  | 'content'
  | 'n_slides'
  | 'language'
  | 'file_paths'
  | 'instructions'
  | 'tone'
  | 'verbosity'
  | 'include_table_of_contents'
  | 'include_title_slide'
  | 'web_search'
  | 'theme'
>

export function createDeck(input: DeckInput): Deck {
  return {
    id: randomUUID(),
    owner: null,
    ...input,
    title: null,
    outlines: null,
    layout: null,
    structure: null,
    fonts: null,
    created_at: timestamp(),
    updated_at: timestamp(),
    slides: [],
    exports: [],
  }
}

let lastMicros = 0

/** The current time like Python's datetime.isoformat(), in microseconds. Every call differs. */
export function timestamp(): string {
  lastMicros = Math.max(
    Date.now() * 1000 + (Number(process.hrtime.bigint() / 1000n) % 1000),
    lastMicros + 1,
  )
  const millis = Math.floor(lastMicros / 1000)
  return new Date(millis).toISOString().slice(0, -1) + String(lastMicros % 1000).padStart(3, '0')
}

/** Upstream's rule: the first 100 characters of the first outline, without Markdown's marks. */
export function titleOf(outlines: readonly Outline[]): string {
  const first = outlines[0]?.content ?? ''
  return [...first]
    .slice(0, 100)
    .join('')
    .replace(/[#/\\]/g, '')
    .replaceAll('\n', ' ')
}
