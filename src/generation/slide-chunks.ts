// Turns the chunks of a slide stream into the pieces of one valid JSON document. Upstream writes
// `{ "slides": [ `, then each slide as a chunk without commas between them, then ` ] }`. This adds
// each comma as a piece of its own and numbers the slides.

export interface Piece {
  chunk: string
  /** From 0; only on a piece that holds one whole slide. */
  slideIndex?: number
  slide?: Record<string, unknown>
}

const opening = /^\s*\{\s*"slides"\s*:\s*\[\s*$/
const closing = /^\s*\]\s*\}\s*$/
// A slide that never becomes whole must not grow without limit. Messages have the same limit.
const maxPartialChars = 16 * 1024 * 1024

export type SlideChunks = ReturnType<typeof createSlideChunks>

export function createSlideChunks() {
  let isOpen = false
  /** Upstream closed the document. We close it in `finish`: a slide may have been lost before. */
  let isEnded = false
  let ending = ' ] }'
  let slides = 0
  let partial = ''

  function open(chunk = '{ "slides": [ '): Piece[] {
    if (isOpen) return []
    isOpen = true
    return [{ chunk }]
  }

  function add(chunk: string, slide: Record<string, unknown>): Piece[] {
    const comma = slides > 0 ? [{ chunk: ',' }] : []
    const pieces: Piece[] = [...open(), ...comma, { chunk, slideIndex: slides, slide }]
    slides += 1
    return pieces
  }

  return {
    /** The pieces that an upstream chunk adds; none while a slide is incomplete. */
    take(chunk: string): Piece[] {
      if (isEnded) return []
      if (!isOpen && opening.test(chunk)) return open(chunk)
      if (partial === '' && closing.test(chunk)) {
        isEnded = true
        ending = chunk
        return []
      }
      // Separators are added here, so what remains is a slide or a part of one.
      const text = partial + chunk
      const bare = withoutSeparators(text)
      if (bare === '') return []
      const slide = parseObject(bare)
      if (slide) {
        partial = ''
        // A repeated slide is dropped. Slides after a lost one wait for `finish`, which has all.
        const isOutOfOrder = typeof slide.index === 'number' && slide.index !== slides
        return isOutOfOrder ? [] : add(bare, slide)
      }
      partial = text.length > maxPartialChars ? '' : text
      return []
    },

    /** The pieces that are missing, given all finished slides. To be called once, at the end. */
    finish(finished: Record<string, unknown>[]): Piece[] {
      const missing = finished.slice(slides).flatMap((slide) => add(JSON.stringify(slide), slide))
      isEnded = true
      return [...open(), ...missing, { chunk: ending }]
    },

    count: () => slides,
  }
}

/** Not a regular expression: one for the end of a text starts again at every separator in it. */
function withoutSeparators(text: string): string {
  const isSeparator = (char: string | undefined) => char === ',' || char?.trim() === ''
  let [start, end] = [0, text.length]
  while (start < end && isSeparator(text[start])) start++
  while (end > start && isSeparator(text[end - 1])) end--
  return text.slice(start, end)
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{') || !text.endsWith('}')) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
