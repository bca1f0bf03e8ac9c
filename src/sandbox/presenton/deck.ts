/**
 * What the stand-in keeps: decks with their outlines, slides and exports, under the names that go
 * over the wire.
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
  /** As the reply names it: beginning with /app_data/. */
  path: string
  /** Absolute, on this machine. */
  file: string
  size: number
  /** Of what was written; a later export may have overwritten it. */
  sha256: string
  /** False while it is being written. */
  whole: boolean
}

export type Deck = {
  id: string
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
  /** UTC with microseconds, no zone: replies add the Z where upstream does. */
  created_at: string
  updated_at: string
  slides: Slide[]
  exports: DeckExport[]
}

export type DeckWish = Pick<
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

export function newDeck(wish: DeckWish): Deck {
  return {
    id: randomUUID(),
    ...wish,
    title: null,
    outlines: null,
    layout: null,
    structure: null,
    fonts: null,
    created_at: stamp(),
    updated_at: stamp(),
    slides: [],
    exports: [],
  }
}

let lastMicros = 0

/** Now, in microseconds, never the same twice: like Python's datetime.isoformat(). */
export function stamp(): string {
  lastMicros = Math.max(
    Date.now() * 1000 + (Number(process.hrtime.bigint() / 1000n) % 1000),
    lastMicros + 1,
  )
  const millis = Math.floor(lastMicros / 1000)
  return new Date(millis).toISOString().slice(0, -1) + String(lastMicros % 1000).padStart(3, '0')
}

/** Upstream's own rule: the first 100 characters of the first outline, markdown's marks gone. */
export function titleOf(outlines: readonly Outline[]): string {
  const first = outlines[0]?.content ?? ''
  return [...first]
    .slice(0, 100)
    .join('')
    .replace(/[#/\\]/g, '')
    .replaceAll('\n', ' ')
}
