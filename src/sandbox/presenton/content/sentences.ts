/**
 * Cuts a conversation summary into its own sentences, in any script: the stand-in has no model and
 * adds no words.
 */

const sentences = new Intl.Segmenter(undefined, { granularity: 'sentence' })
const words = new Intl.Segmenter(undefined, { granularity: 'word' })
const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/** More than this reads badly on a slide. */
const longestBullet = 220

/**
 * The sentences in order; marks of lists and headings are dropped, long sentences are cut at their
 * clauses.
 */
export function splitSentences(text: string): string[] {
  return unwrap(text.split(/\r?\n/))
    .flatMap((line) => joinDates([...sentences.segment(line)].map(({ segment }) => segment.trim())))
    .filter((sentence) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(sentence))
    .flatMap((sentence) =>
      lengthOf(sentence) > longestBullet ? packClauses(sentence) : [sentence],
    )
}

/**
 * The first line when it is a heading of its own: marked as one, or short and without a full stop.
 */
export function headingOf(text: string): string | undefined {
  const [first = '', ...rest] = text.split(/\r?\n/).filter((line) => line.trim() !== '')
  const heading = stripMarks(first)
  if (heading === '' || rest.length === 0) return undefined
  const marked = /^\s*#/.test(first)
  return marked || (lengthOf(heading) <= 80 && !/[.!?。！？:：]$/u.test(heading))
    ? heading
    : undefined
}

/** The parts of a sentence between commas and the like, each with its mark. */
export function splitClauses(sentence: string): string[] {
  return sentence
    .split(/(?<=[,;:，；：、—–])\s*/u)
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '')
}

/** At most `most` characters as a reader counts them, cut after a word. */
export function shorten(text: string, most: number): string {
  const clean = text.trim().replace(/[\s.。,，;；:：、]+$/u, '')
  if (lengthOf(clean) <= most) return clean
  let end = 0
  for (const { index, segment } of words.segment(clean)) {
    if (lengthOf(clean.slice(0, index + segment.length)) > most - 1) break
    end = index + segment.length
  }
  const cut = clean.slice(0, end).replace(/[\s.。,，;；:：、(（"“「]+$/u, '')
  return `${cut || takeGraphemes(clean, most - 1)}…`
}

export function lengthOf(text: string): number {
  return [...graphemes.segment(text)].length
}

function takeGraphemes(text: string, count: number): string {
  return [...graphemes.segment(text)]
    .slice(0, count)
    .map(({ segment }) => segment)
    .join('')
}

/**
 * Lines that an editor has wrapped are one again: after a long line without an end, what bears no
 * mark goes on.
 */
function unwrap(lines: readonly string[]): string[] {
  const joined: string[] = []
  let open = false
  for (const line of lines) {
    const clean = stripMarks(line)
    const last = joined.at(-1)
    const eastern = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]$/u.test(last ?? '')
    if (open && last !== undefined && clean !== '' && clean === line.trim())
      joined[joined.length - 1] = last + (eastern ? '' : ' ') + clean
    else joined.push(clean)
    open =
      lengthOf(line) >= (eastern ? 30 : 60) &&
      !/[.!?。！？…:：]["”’»」)]?\s*$/u.test(line) &&
      !/^\s*#/.test(line)
  }
  return joined
}

/** "am 15." and "März." are one sentence. */
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
 * Clauses joined again as far as they fit; a clause that is too long by itself is cut between
 * words, and a word between characters.
 */
function packClauses(sentence: string): string[] {
  return pack(
    splitClauses(sentence).flatMap((clause) =>
      lengthOf(clause) > longestBullet ? packWords(clause) : [clause],
    ),
    ' ',
  )
}

function packWords(clause: string): string[] {
  const pieces = [...words.segment(clause)].flatMap(({ segment }) =>
    lengthOf(segment) > longestBullet
      ? [...graphemes.segment(segment)].map((grapheme) => grapheme.segment)
      : [segment],
  )
  return pack(pieces, '').map((piece) => piece.trim())
}

function pack(pieces: readonly string[], between: string): string[] {
  const packed: { text: string; length: number }[] = []
  for (const text of pieces) {
    const length = lengthOf(text)
    const last = packed.at(-1)
    if (last && last.length + between.length + length <= longestBullet) {
      last.text += between + text
      last.length += between.length + length
    } else packed.push({ text, length })
  }
  return packed.map(({ text }) => text)
}
