/**
 * Outlines from a summary: Markdown with a heading and bullets, as a model would write it, in the
 * words of the summary.
 */

import type { Deck, Outline } from '../deck.ts'
import { headingOf, lengthOf, shorten, splitClauses, splitSentences } from './sentences.ts'

const maxBullets = 5
/** Below the 100 words to which 0.9.3 truncates outlines, even within a sentence. */
const maxWords = 95

/** The title of a table of contents, by language. */
const contentsTitles: Readonly<Record<string, string>> = {
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
 * One outline for each slide of the deck, including title slide and table of contents. For 0 slides
 * the number depends on the text. `changeCount` simulates a model that miscounts.
 */
export function writeOutlines(deck: Deck, changeCount: (requested: number) => number): Outline[] {
  const sentences = splitSentences(deck.content)
  if (sentences.length === 0) sentences.push(deck.content.trim() || 'Untitled presentation')
  const heading = headingOf(deck.content)
  const body = heading && sentences.length > 1 ? sentences.slice(1) : sentences
  const total = Math.max(
    1,
    changeCount(
      deck.n_slides > 0 ? deck.n_slides : Math.min(12, Math.max(3, Math.ceil(body.length / 3) + 1)),
    ),
  )

  const withTitle = deck.include_title_slide && total > 1
  const withContents = deck.include_table_of_contents && total - Number(withTitle) > 1
  const sections = group(body, total - Number(withTitle) - Number(withContents)).map(section)
  const outlines = sections.map(({ title, bullets }) => write(title, bullets))

  if (withContents)
    outlines.unshift(
      write(
        contentsTitleIn(deck.language),
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
  return title === 'Contents' || Object.values(contentsTitles).includes(title ?? '')
}

function contentsTitleIn(language: string): string {
  const known = Object.entries(contentsTitles).find(([name]) =>
    language.toLowerCase().includes(name),
  )
  return known?.[1] ?? 'Contents'
}

function write(title: string, bullets: readonly string[]): Outline {
  return { content: `# ${title}\n\n${bullets.map((bullet) => `- ${bullet}`).join('\n')}` }
}

function section(sentences: readonly string[]): { title: string; bullets: string[] } {
  const first = sentences[0] as string
  const clause = splitClauses(first)[0] ?? first
  const title = shorten(lengthOf(clause) >= 12 ? clause : first, 56)
  const wordsLeft = maxWords - countWords(title)
  for (let count = maxBullets; count > 1; count--) {
    const bullets = pickEvenly(sentences, count)
    if (countWords(bullets.join(' ')) <= wordsLeft) return { title, bullets }
  }
  return { title, bullets: [first] }
}

function countWords(text: string): number {
  return text.match(/\S+/g)?.length ?? 0
}

/**
 * Divides the sentences, in order, into `count` groups of similar size. Too few sentences are split
 * at clauses, then repeated.
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
  const distinct = pool.length
  for (let index = 0; pool.length < count; index++)
    pool.push(`${pool[index % distinct]} (${Math.floor(index / distinct) + 2})`)
  return Array.from({ length: count }, (_, index) =>
    pool.slice(
      Math.floor((index * pool.length) / count),
      Math.floor(((index + 1) * pool.length) / count),
    ),
  )
}

/** At most `count` of the items, at even distances. */
function pickEvenly(items: readonly string[], count: number): string[] {
  if (items.length <= count) return [...items]
  return Array.from(
    { length: count },
    (_, index) => items[Math.floor((index * items.length) / count)] as string,
  )
}
