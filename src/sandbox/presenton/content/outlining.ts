/**
 * Outlines from a summary: markdown of a heading and bullets, as a model would write them, in the
 * summary's own words.
 */

import type { Deck, Outline } from '../deck.ts'
import { headingOf, lengthOf, shorten, splitClauses, splitSentences } from './sentences.ts'

const bulletsOnSlide = 5
/** 0.9.3 cuts outlines to 100 words, also in the middle of a sentence. */
const wordsOnSlide = 95

const contentsIn: Readonly<Record<string, string>> = {
  german: 'Inhalt',
  deutsch: 'Inhalt',
  french: 'Sommaire',
  français: 'Sommaire',
  spanish: 'Contenido',
  español: 'Contenido',
  italian: 'Indice',
  portuguese: 'Conteúdo',
  dutch: 'Inhoud',
  russian: 'Содержание',
  ukrainian: 'Зміст',
  chinese: '目录',
  japanese: '目次',
  korean: '목차',
  arabic: 'المحتويات',
  hindi: 'विषय सूची',
}

/**
 * As many outlines as the deck has slides (0: as many as the text fills), title slide and table of
 * contents counted. `count` changes the number, for a model that miscounts.
 */
export function writeOutlines(deck: Deck, count: (wanted: number) => number): Outline[] {
  const sentences = splitSentences(deck.content)
  if (sentences.length === 0) sentences.push(deck.content.trim() || 'Untitled presentation')
  const heading = headingOf(deck.content)
  const body = heading && sentences.length > 1 ? sentences.slice(1) : sentences
  const wanted = Math.max(
    1,
    count(
      deck.n_slides > 0 ? deck.n_slides : Math.min(12, Math.max(3, Math.ceil(body.length / 3) + 1)),
    ),
  )

  const withTitle = deck.include_title_slide && wanted > 1
  const withContents = deck.include_table_of_contents && wanted - Number(withTitle) > 1
  const sections = group(body, wanted - Number(withTitle) - Number(withContents)).map(section)
  const outlines = sections.map(({ title, bullets }) => write(title, bullets))

  if (withContents)
    outlines.unshift(
      write(
        contentsWord(deck.language),
        sections.map(({ title }) => title),
      ),
    )
  if (withTitle) {
    const title = shorten(heading ?? (body[0] as string), 70)
    const lead = heading ? body[0] : body.slice(0, 2).join(' ')
    outlines.unshift(write(title, [shorten(lead ?? title, 200)]))
  }
  return outlines
}

export function isContents(outline: Outline): boolean {
  const title = /^#\s*(.*)$/m.exec(outline.content)?.[1]
  return title === 'Contents' || Object.values(contentsIn).includes(title ?? '')
}

function contentsWord(language: string): string {
  const known = Object.entries(contentsIn).find(([name]) => language.toLowerCase().includes(name))
  return known?.[1] ?? 'Contents'
}

function write(title: string, bullets: readonly string[]): Outline {
  return { content: `# ${title}\n\n${bullets.map((bullet) => `- ${bullet}`).join('\n')}` }
}

function section(sentences: readonly string[]): { title: string; bullets: string[] } {
  const first = sentences[0] as string
  const clause = splitClauses(first)[0] ?? first
  const title = shorten(lengthOf(clause) >= 12 ? clause : first, 56)
  const room = wordsOnSlide - countWords(title)
  for (let most = bulletsOnSlide; most > 1; most--) {
    const bullets = spread(sentences, most)
    if (countWords(bullets.join(' ')) <= room) return { title, bullets }
  }
  return { title, bullets: [first] }
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0
}

/**
 * The sentences in order in so many groups of nearly one size; too few sentences are split at
 * clauses, then used again.
 */
function group(sentences: readonly string[], count: number): string[][] {
  const pool = [...sentences]
  while (pool.length < count) {
    const longest = pool.reduce(
      (best, text, index) =>
        splitClauses(text).length > splitClauses(pool[best] as string).length ? index : best,
      0,
    )
    const clauses = splitClauses(pool[longest] as string)
    if (clauses.length < 2) break
    const middle = Math.ceil(clauses.length / 2)
    pool.splice(longest, 1, clauses.slice(0, middle).join(' '), clauses.slice(middle).join(' '))
  }
  const own = pool.length
  for (let index = 0; pool.length < count; index++)
    pool.push(`${pool[index % own]} (${Math.floor(index / own) + 2})`)
  return Array.from({ length: count }, (_, index) =>
    pool.slice(
      Math.floor((index * pool.length) / count),
      Math.floor(((index + 1) * pool.length) / count),
    ),
  )
}

/** At most `most` of the items, evenly picked. */
function spread(items: readonly string[], most: number): string[] {
  if (items.length <= most) return [...items]
  return Array.from(
    { length: most },
    (_, index) => items[Math.floor((index * items.length) / most)] as string,
  )
}
