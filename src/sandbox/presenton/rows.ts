/**
 * Decks and slides as upstream writes them: the keys of each reply, in the order of the recorded
 * traffic. Upstream builds the same row in four ways.
 */

import type { Deck, Slide } from './deck.ts'
import type { Features } from './shape.ts'

type Row = Record<string, unknown>
type Key = Exclude<keyof Deck, 'owner'>

const createdA = keys(`
  id content n_slides language file_paths theme instructions tone verbosity
  include_table_of_contents include_title_slide web_search title outlines layout structure
  created_at updated_at
`)
const createdB = keys(`
  id version content n_slides language file_paths instructions tone verbosity
  include_table_of_contents include_title_slide web_search title outlines layout structure
  theme fonts created_at updated_at
`)
const storedA = keys(`
  language content file_paths created_at layout theme tone include_table_of_contents
  web_search n_slides title id outlines updated_at structure instructions verbosity
  include_title_slide
`)
const storedB = keys(`
  content tone n_slides outlines verbosity language include_table_of_contents version title
  created_at include_title_slide id file_paths updated_at web_search layout theme structure
  fonts instructions
`)
const shownA = keys(`
  id content n_slides language title created_at updated_at tone verbosity theme slides
`)
const shownB = keys(`
  id version content n_slides language title created_at updated_at tone verbosity slides fonts
`)

/** In the reply of `create`, the only one where both times have a zone. */
export function createdRow(deck: Deck, features: Features): Row {
  const row = pick(deck, features.hasSlideUi ? createdB : createdA)
  return { ...row, created_at: `${deck.created_at}Z`, updated_at: `${deck.updated_at}Z` }
}

/** The whole row, in `complete` of the outlines stream and (A, T) in the reply of `prepare`. */
export function storedRow(deck: Deck, features: Features): Row {
  return {
    ...pick(deck, features.hasSlideUi ? storedB : storedA),
    updated_at: `${deck.updated_at}Z`,
  }
}

/** The deck with slides that are rows already. */
export function shownRow(deck: Deck, slides: readonly Row[], features: Features): Row {
  const theme = features.hasSlideUi && features.showsTheme ? { theme: deck.theme } : {}
  return { ...pick(deck, features.hasSlideUi ? shownB : shownA), ...theme, slides }
}

/** A slide in an event. Members that are null are absent, except html_content in B. */
export function streamedSlide(slide: Slide, features: Features): Row {
  const { id, presentation, layout_group, layout, index, content, speaker_note, ui } = slide
  const row = { presentation, layout_group, layout, index, content, speaker_note }
  return features.hasSlideUi ? { ...row, ui, id, html_content: slide.html_content } : { ...row, id }
}

/** A slide read from the database, in `GET /presentation/{id}`. */
export function readSlide(slide: Slide, features: Features): Row {
  const {
    id,
    presentation,
    layout_group,
    layout,
    index,
    content,
    properties,
    html_content,
    speaker_note,
    ui,
  } = slide
  return features.hasSlideUi
    ? {
        id,
        index,
        html_content,
        speaker_note,
        ui,
        presentation,
        layout_group,
        layout,
        content,
        properties,
      }
    : {
        layout,
        id,
        content,
        properties,
        presentation,
        layout_group,
        index,
        html_content,
        speaker_note,
      }
}

/** A slide from a request, as PATCH echoes it. */
export function echoedSlide(slide: Slide, features: Features): Row {
  const { id, presentation, layout_group, layout, index, content, speaker_note, ui } = slide
  const row = { id, presentation, layout_group, layout, index, content, speaker_note }
  return features.hasSlideUi ? { ...row, ui } : row
}

function keys(text: string): readonly (Key | 'version')[] {
  return text.trim().split(/\s+/) as (Key | 'version')[]
}

function pick(deck: Deck, names: readonly (Key | 'version')[]): Row {
  return Object.fromEntries(names.map((key) => [key, memberOf(deck, key)]))
}

function memberOf(deck: Deck, key: Key | 'version'): unknown {
  if (key === 'version') return 'v2-standard'
  if (key === 'outlines') return deck.outlines && { slides: deck.outlines }
  if (key === 'structure') return deck.structure && { slides: deck.structure }
  return deck[key]
}
