// What a deck's event log adds up to, for display. Pure: events in, the next state out.

import type { PresentationEvent } from '../client/client.ts'
import type { SlideLike } from '../contract/slide-texts.ts'

export type SlideObject = SlideLike & Record<string, unknown>

export interface DeckState {
  /** Of the last event, to continue after. */
  cursor: number
  stage: string | undefined
  /** The raw text of the model while it writes outlines. */
  outlineText: string
  outlines: string[]
  title: string | null
  slides: (SlideObject | undefined)[]
  /** What the run waits for. */
  notice: string
  reviewUntil: string | undefined
}

export const emptyDeck: DeckState = {
  cursor: 0,
  stage: undefined,
  outlineText: '',
  outlines: [],
  title: null,
  slides: [],
  notice: '',
  reviewUntil: undefined,
}

export function addEvents(state: DeckState, events: readonly PresentationEvent[]): DeckState {
  const next = { ...state, slides: [...state.slides] }
  for (const event of events) {
    addEvent(next, event)
    next.cursor = event.id
  }
  return next
}

function addEvent(state: DeckState, event: PresentationEvent): void {
  const { type } = event
  if (type === 'stage') {
    state.stage = event.stage
    state.notice = ''
    state.reviewUntil = undefined
    // A stage that starts again discards what was shown of it.
    if (event.stage === 'outlines') state.outlineText = ''
    if (event.stage === 'slides') state.slides = []
  } else if (type === 'outline_chunk') {
    state.outlineText += event.chunk
  } else if (type === 'outlines') {
    state.outlines = event.outlines
    state.title = event.title
    state.outlineText = ''
  } else if (type === 'awaiting_outlines') {
    state.reviewUntil = event.expires_at
  } else if (type === 'status') {
    // Others say what the stage says already.
    const isTrouble = 'code' in event || 'retry_in_seconds' in event
    state.notice = isTrouble ? textOf(event, 'status') : ''
  } else if (type === 'queued') {
    state.stage = undefined
    state.notice = ''
  } else {
    addSlide(state, event)
  }
}

/** Events from the generator are passed on as they come, so their members are checked. */
function addSlide(state: DeckState, event: PresentationEvent): void {
  const { type, slide, slide_index, index, chunk } = event as unknown as Record<string, unknown>
  const position = Number(slide_index ?? index)
  if (!Number.isInteger(position) || position < 0 || position > 200) return
  if (type === 'chunk') {
    const parsed = parse(chunk)
    if (parsed) state.slides[position] = parsed
  } else if ((type === 'slide_assets' || type === 'slide_edited') && isObject(slide)) {
    state.slides[position] = slide
  }
}

function parse(text: unknown): SlideObject | undefined {
  try {
    const value: unknown = JSON.parse(String(text))
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

const isObject = (value: unknown): value is SlideObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function textOf(event: object, name: string): string {
  const value = (event as Record<string, unknown>)[name]
  return typeof value === 'string' ? value : ''
}

/** The outlines so far in unfinished JSON: `{"slides":[{"content":"# We agreed on`. */
export function readOutlinesSoFar(text: string): string[] {
  return [...text.matchAll(/"content"\s*:\s*"((?:[^"\\]|\\.)*)/gs)].map(([, raw = '']) => {
    try {
      return JSON.parse(`"${raw}"`) as string
    } catch {
      // The text broke off within an escape.
      return raw.replace(/\\n/g, '\n').replace(/\\"/g, '"')
    }
  })
}

export interface OutlineParts {
  title: string
  lines: string[]
}

/** An outline is Markdown: its first line is the title. */
export function readOutline(outline: string): OutlineParts {
  const lines = outline
    .split('\n')
    .map((line) =>
      line
        .replace(/^\s*(#{1,6}|[-*+]|\d+[.)])(\s+|$)/, '')
        .replace(/(\*\*|__)(.+?)\1/g, '$2')
        .trim(),
    )
    .filter(Boolean)
  const [title = '', ...rest] = lines
  return { title, lines: rest }
}
