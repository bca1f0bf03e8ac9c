// The documentation as tests read it: its pages, and the code blocks below each heading.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

export interface CodeBlock {
  page: string
  /** The nearest heading above, of any level. */
  section: string
  language: string
  code: string
}

/** Every Markdown page, by its path from the root of the repository. */
export const pages = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(`${root}docs`, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`)
    .sort(),
]

export function readPage(page: string): string {
  return readFileSync(`${root}${page}`, 'utf8')
}

/** The code blocks of a page in their order. */
export function readBlocks(page: string): CodeBlock[] {
  let section = ''
  return [...readPage(page).matchAll(/^#+ ([^\n]+)$|^```(\w*)\n(.*?)^```$/gms)].flatMap(
    ([, heading, language, code]) => {
      section = heading ?? section
      return code === undefined ? [] : [{ page, section, language: language ?? '', code }]
    },
  )
}

/** The text without its code blocks. */
export function readProse(page: string): string {
  return readPage(page).replace(/^```\w*\n.*?^```$/gms, '')
}

/** The text between a heading and the next one, without code blocks; empty without the heading. */
export function readSection(page: string, heading: string): string {
  const sections = readProse(page).split(/^#+ /m)
  const found = sections.find((section) => section.split('\n', 1)[0] === heading)
  return found?.slice(heading.length).trim() ?? ''
}

/** The cells of every table row of a text, without the header rows. */
export function readRows(text: string): string[][] {
  const lines = text.split('\n')
  return lines
    .filter((line, i) => line.startsWith('| ') && !/^\|[-|]+$/.test(lines[i + 1] ?? ''))
    .map((line) =>
      line
        .slice(1, -1)
        .split(' |')
        .map((cell) => cell.trim()),
    )
}
