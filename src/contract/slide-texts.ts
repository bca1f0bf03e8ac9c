// What a slide of any layout says: title, texts, lists, tables, numbers and images, found in
// objects of unknown shape. Pure, since the page uses it in browsers as well.

import { isFields, isText, ownImage, readCanvas, textOf } from './slide-canvas.ts'

export type SlideBlock =
  | { kind: 'text'; text: string }
  | { kind: 'list'; items: SlideItem[] }
  | { kind: 'table'; head: string[]; rows: string[][] }
  | { kind: 'numbers'; entries: { label: string; value: string }[] }
  | { kind: 'image'; path: string }

export interface SlideItem {
  /** Empty where the item is one text. */
  heading: string
  text: string
}

export interface SlideTexts {
  /** Empty where there is none. */
  title: string
  blocks: SlideBlock[]
}

/** What is read of a slide, as events, decks and the API have it. */
export interface SlideLike {
  content?: unknown
  ui?: unknown
}

type Fields = Record<string, unknown>

const maxDepth = 8
const maxBlocks = 24
const maxItems = 60

const titleKey =
  /^(title|heading|headline|headline_?text|primary_heading|large_heading|main_?title|slide_?(title|headline|heading)|header)$/i
const itemHeadingKey = /(title|heading|headline|name|label|term|question|step|year|date)$/i
const valueKey = /^(value|number|amount|percent(age)?|stat(istic)?|metric(_?value)?|count|score)$/i
/** Instructions for models, addresses, looks: nothing that a slide shows as text. */
const hiddenKey =
  /^__|(^|_)(prompt|query|icon|id|url|src|href|color|colour|font|family|layout|align(ment)?|position|size|rotation|style|theme|type|kind)s?$|Prompt$|Query$|Icon$|Url$|Id$|Color$/
const address = /^(https?:|data:|\/(app_data|static)\/|#[\da-f]{3,8}$)/i

export function readSlideTexts(slide: SlideLike): SlideTexts {
  const fromContent = readContent(slide.content)
  const drawn = readCanvas(slide.ui)
  // What is drawn is the truth; the content has more structure, if it says the same.
  const isSame =
    drawn.texts.length === 0 || (fromContent.title && drawn.texts.includes(fromContent.title))
  if (isSame && (fromContent.title || fromContent.blocks.length > 0)) return fromContent
  const [title = '', ...lines] = drawn.texts
  const blocks: SlideBlock[] = []
  if (lines.length > 0) {
    blocks.push({ kind: 'list', items: lines.map((text) => ({ heading: '', text })) })
  }
  if (drawn.image) blocks.push({ kind: 'image', path: drawn.image })
  return { title, blocks }
}

function readContent(content: unknown): SlideTexts {
  const title = findTitle(content)
  const blocks: SlideBlock[] = []
  collect(content, { blocks, skip: title, depth: 0 })
  return { title: title ?? '', blocks: mergeBlocks(blocks) }
}

/** The title nearest to the top; lists have headings of their own. */
function findTitle(content: unknown): string | undefined {
  let level: unknown[] = [content]
  for (let depth = 0; depth < 4 && level.length > 0; depth += 1) {
    const objects = level.filter(isFields)
    for (const object of objects) {
      for (const [key, value] of Object.entries(object)) {
        if (titleKey.test(key) && isText(value)) return value
      }
    }
    level = objects.flatMap(Object.values)
  }
  return undefined
}

interface Place {
  blocks: SlideBlock[]
  /** The title, which is not repeated. */
  skip: string | undefined
  depth: number
}

function collect(value: unknown, place: Place): void {
  const { blocks, depth } = place
  if (depth > maxDepth || blocks.length >= maxBlocks || !isFields(value)) return
  const table = readTable(value)
  if (table) {
    blocks.push(table)
    return
  }
  for (const [key, member] of Object.entries(value)) {
    const image = readImage(key, member)
    if (image) blocks.push({ kind: 'image', path: image })
    else if (hiddenKey.test(key)) continue
    else if (isText(member)) {
      if (member === place.skip) place.skip = undefined
      else if (!address.test(member)) blocks.push({ kind: 'text', text: member })
    } else if (typeof member === 'number') {
      blocks.push({ kind: 'numbers', entries: [{ label: wordsOf(key), value: String(member) }] })
    } else if (Array.isArray(member)) blocks.push(...readList(member))
    else collect(member, { ...place, depth: depth + 1 })
  }
}

function readList(list: unknown[]): SlideBlock[] {
  const members = list.slice(0, maxItems)
  if (members.every(Array.isArray)) {
    const rows = members.map((row) => row.map(textOf))
    return rows.length > 0 ? [{ kind: 'table', head: [], rows }] : []
  }
  const images = members.map((member) => (isText(member) && ownImage.test(member) ? member : ''))
  const entries = members.map(readNumber)
  if (members.length > 0 && entries.every((entry) => entry !== undefined)) {
    return [{ kind: 'numbers', entries }]
  }
  const items = members.filter((_, index) => images[index] === '').map(readItem)
  const shown = items.filter(({ heading, text }) => heading || text)
  return [
    ...(shown.length > 0 ? [{ kind: 'list' as const, items: shown }] : []),
    ...images.filter(Boolean).map((path) => ({ kind: 'image' as const, path })),
    ...members.filter(isFields).flatMap(imagesOf),
  ]
}

function readItem(member: unknown): SlideItem {
  if (!isFields(member)) return { heading: '', text: textOf(member) }
  let heading = ''
  const texts: string[] = []
  for (const [key, value] of Object.entries(member)) {
    if (hiddenKey.test(key)) continue
    const text = isFields(value) || Array.isArray(value) ? nestedText(value, 1) : textOf(value)
    if (text === '' || address.test(text)) continue
    if (heading === '' && itemHeadingKey.test(key)) heading = text
    else texts.push(text)
  }
  return texts.length === 0 ? { heading: '', text: heading } : { heading, text: texts.join(' · ') }
}

function nestedText(value: unknown, depth: number): string {
  if (depth > maxDepth) return ''
  if (Array.isArray(value)) {
    return value
      .slice(0, maxItems)
      .map((member) => nestedText(member, depth + 1))
      .filter(Boolean)
      .join(', ')
  }
  if (!isFields(value)) return textOf(value)
  return Object.entries(value)
    .filter(([key]) => !hiddenKey.test(key))
    .map(([, member]) => nestedText(member, depth + 1))
    .filter((text) => text !== '' && !address.test(text))
    .join(' · ')
}

/** A labelled value, such as a bar of a chart. */
function readNumber(member: unknown): { label: string; value: string } | undefined {
  if (!isFields(member)) return undefined
  const shown = Object.entries(member).filter(([key]) => !hiddenKey.test(key))
  if (shown.length < 1 || shown.length > 3) return undefined
  const value = shown.find(([key, of]) => valueKey.test(key) && textOf(of) !== '')
  if (!value) return undefined
  const label = shown
    .filter((entry) => entry !== value)
    .map(([, of]) => textOf(of))
    .join(' ')
  return { label, value: textOf(value[1]) }
}

function readTable(value: Fields): SlideBlock | undefined {
  const head = value['columns'] ?? value['headers'] ?? value['header'] ?? value['head']
  const rows = value['rows'] ?? value['data']
  if (!Array.isArray(head) || !Array.isArray(rows) || rows.length === 0) return undefined
  const cellsOf = (row: unknown): string[] =>
    (Array.isArray(row) ? row : Object.values(isFields(row) ? row : {})).map((cell) =>
      isFields(cell) ? nestedText(cell, 1) : textOf(cell),
    )
  return {
    kind: 'table',
    head: head.map((cell) => (isFields(cell) ? nestedText(cell, 1) : textOf(cell))),
    rows: rows.slice(0, maxItems).map((row) => {
      const cells = isFields(row) && Array.isArray(row['cells']) ? row['cells'] : row
      return cellsOf(cells)
    }),
  }
}

function readImage(key: string, value: unknown): string | undefined {
  if (/icon/i.test(key) || !isText(value)) return undefined
  return ownImage.test(value) ? value : undefined
}

function imagesOf(member: Fields): SlideBlock[] {
  return Object.entries(member).flatMap(([key, value]) => {
    const path = readImage(key, value)
    return path ? [{ kind: 'image' as const, path }] : []
  })
}

/** The same image twice is one; neighbouring numbers are one block. */
function mergeBlocks(blocks: SlideBlock[]): SlideBlock[] {
  const seen = new Set<string>()
  const merged: SlideBlock[] = []
  for (const block of blocks) {
    const last = merged.at(-1)
    if (block.kind === 'image') {
      if (seen.has(block.path)) continue
      seen.add(block.path)
    }
    if (block.kind === 'numbers' && last?.kind === 'numbers') last.entries.push(...block.entries)
    else merged.push(block)
  }
  return merged
}

/** `market_share` → `market share`. */
function wordsOf(key: string): string {
  return key
    .replace(/[_-]+/g, ' ')
    .replace(/([a-z])([A-Z])/g, '$1 $2')
    .toLowerCase()
}
