// The slides of a stage as one valid JSON document in pieces. Upstream writes `{ "slides": [ `,
// then each slide as a chunk of its own without commas between them, then ` ] }`; this puts the
// commas in, each as a piece of its own, and numbers the slides.

export interface Piece {
  chunk: string
  /** From 0; only on a piece that holds one whole slide. */
  slideIndex?: number
  slide?: Record<string, unknown>
}

const opening = /^\s*\{\s*"slides"\s*:\s*\[\s*$/
const closing = /^\s*\]\s*\}\s*$/
// A slide that never becomes whole must not grow for ever; upstream's messages are bounded by the
// same size.
const maxPartialChars = 16 * 1024 * 1024

export type SlideChunks = ReturnType<typeof createSlideChunks>

export function createSlideChunks() {
  let opened = false
  /**
   * Upstream has said its last; the bracket itself waits for `finish`, since a slide may have been
   * lost before it.
   */
  let ended = false
  let ending = ' ] }'
  let slides = 0
  let partial = ''

  function open(chunk = '{ "slides": [ '): Piece[] {
    if (opened) return []
    opened = true
    return [{ chunk }]
  }

  function add(chunk: string, slide: Record<string, unknown>): Piece[] {
    const pieces: Piece[] = [
      ...open(),
      ...(slides > 0 ? [{ chunk: ',' }] : []),
      { chunk, slideIndex: slides, slide },
    ]
    slides += 1
    return pieces
  }

  return {
    /**
     * The pieces that an upstream chunk adds to the document; none while a slide is still in parts.
     */
    take(chunk: string): Piece[] {
      if (ended) return []
      if (!opened && opening.test(chunk)) return open(chunk)
      if (partial === '' && closing.test(chunk)) {
        ended = true
        ending = chunk
        return []
      }
      // Separators are ours to set; what is left is a slide, or a part of one.
      const text = partial + chunk
      const bare = withoutSeparators(text)
      if (bare === '') return []
      const slide = parseObject(bare)
      if (slide) {
        partial = ''
        // One that was sent twice is dropped; those behind one that was lost wait for `finish`,
        // which has them all in order.
        const isOutOfOrder = typeof slide.index === 'number' && slide.index !== slides
        return isOutOfOrder ? [] : add(bare, slide)
      }
      partial = text.length > maxPartialChars ? '' : text
      return []
    },
    /** What is missing at the end of a stage that ended well, given the finished slides. Once. */
    finish(finished: Record<string, unknown>[]): Piece[] {
      const missing = finished.slice(slides).flatMap((slide) => add(JSON.stringify(slide), slide))
      ended = true
      return [...open(), ...missing, { chunk: ending }]
    },
    count: () => slides,
  }
}

/** By hand: a pattern for the end of a text begins anew at every separator within it. */
function withoutSeparators(text: string): string {
  const isSeparator = (char: string | undefined) => char === ',' || char?.trim() === ''
  let [begin, end] = [0, text.length]
  while (begin < end && isSeparator(text[begin])) begin++
  while (end > begin && isSeparator(text[end - 1])) end--
  return text.slice(begin, end)
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
