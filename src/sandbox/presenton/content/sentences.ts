/**
 * Splits a conversation summary into sentences, in any script. Without a model, the stand-in adds
 * no words.
 */

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' })
const words = new Intl.Segmenter(undefined, { granularity: 'word' })
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** In graphemes; longer text is hard to read on a slide. */
const maxBulletLength = 220

/**
 * The sentences in order, without the marks of lists and headings. Long ones are split at clauses.
 */
export function splitSentences(text: string): string[] {
  return unwrap(text.split(/\r?\n/))
    .flatMap((line) => joinDates([...sentences.segment(line)].map(({ segment }) => segment.trim())))
    .filter((sentence) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(sentence))
    .flatMap((sentence) =>
      lengthOf(sentence) > maxBulletLength ? packClauses(sentence) : [sentence],
    )
}

/** The first line if it is a heading: marked as one, or short and without a full stop. */
export function headingOf(text: string): string | undefined {
  const [first = '', ...rest] = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const heading = stripMarks(first)
  if (heading === '' || rest.length === 0) return undefined
  const marked = /^\s*#/.test(first)
  return marked || (lengthOf(heading) <= 80 && !/[.!?。！？:：]$/u.test(heading))
    ? heading
    : undefined
}

/** The parts of a sentence between commas and similar marks, each with its mark. */
export function splitClauses(sentence: string): string[] {
  return sentence
    .split(/(?<=[,;:，；：、—–])\s*/u)
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '')
}

/** Shortens to `maxLength` graphemes, after a word if possible. */
export function shorten(text: string, maxLength: number): string {
  const clean = text.trim().replace(/[\s.。,，;；:：、]+$/u, '')
  if (lengthOf(clean) <= maxLength) return clean
  let end = 0
  for (const { index, segment } of words.segment(clean)) {
    if (lengthOf(clean.slice(0, index + segment.length)) > maxLength - 1) break
    end = index + segment.length
  }
  const cut = clean.slice(0, end).replace(/[\s.。,，;；:：、(（"“「]+$/u, '')
  return `${cut || takeGraphemes(clean, maxLength - 1)}…`
}

/** In graphemes. Printable ASCII, the usual case, needs no segmenter. */
export function lengthOf(text: string): number {
  return /^[ -~]*$/.test(text) ? text.length : [...graphemes.segment(text)].length
}

function takeGraphemes(text: string, count: number): string {
  return [...graphemes.segment(text)]
    .slice(0, count)
    .map(({ segment }) => segment)
    .join('')
}

/**
 * Joins lines that an editor has wrapped: a line without a mark continues a long line that doesn't
 * end a sentence.
 */
function unwrap(lines: readonly string[]): string[] {
  const joined: string[] = []
  let isOpen = false
  for (const line of lines) {
    const clean = stripMarks(line)
    const last = joined.at(-1)
    const isEastAsian = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]$/u.test(last ?? '')
    if (isOpen && last !== undefined && clean !== '' && clean === line.trim())
      joined[joined.length - 1] = last + (isEastAsian ? '' : ' ') + clean
    else joined.push(clean)
    isOpen =
      lengthOf(line) >= (isEastAsian ? 30 : 60) &&
      !/[.!?。！？…:：]["”’»」)]?\s*$/u.test(line) &&
      !/^\s*#/.test(line)
  }
  return joined
}

/** Joins "am 15." and "März.", which the segmenter splits. */
function joinDates(parts: readonly string[]): string[] {
  const joined: string[] = []
  for (const part of parts) {
    const last = joined.at(-1)
    if (last !== undefined && /\s\d{1,2}\.$/.test(last))
      joined[joined.length - 1] = `${last} ${part}`
    else joined.push(part)
  }
  return joined
}

function stripMarks(line: string): string {
  return line
    .replace(/^\s*(?:#{1,6}\s+|[-*+•]\s+|\d{1,3}[.)]\s+|>\s*)+/u, '')
    .replace(/\*\*|__|`/g, '')
    .trim()
}

/**
 * Joins clauses as far as they fit. A clause that is too long is split between words, and a word
 * between graphemes.
 */
function packClauses(sentence: string): string[] {
  return pack(
    splitClauses(sentence).flatMap((clause) =>
      lengthOf(clause) > maxBulletLength ? packWords(clause) : [clause],
    ),
    ' ',
  )
}

function packWords(clause: string): string[] {
  const pieces = [...words.segment(clause)].flatMap(({ segment }) =>
    lengthOf(segment) > maxBulletLength
      ? [...graphemes.segment(segment)].map((grapheme) => grapheme.segment)
      : [segment],
  )
  return pack(pieces, '').map((piece) => piece.trim())
}

/** Joins pieces up to the maximal length. */
function pack(pieces: readonly string[], separator: string): string[] {
  const packed: { text: string; length: number }[] = []
  for (const text of pieces) {
    const length = lengthOf(text)
    const last = packed.at(-1)
    if (last && last.length + separator.length + length <= maxBulletLength) {
      last.text += separator + text
      last.length += separator.length + length
    } else packed.push({ text, length })
  }
  return packed.map(({ text }) => text)
}
