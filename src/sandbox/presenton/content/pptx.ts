/**
 * A real PowerPoint file of a deck: title slide, table of contents, headings, bullets, numbers and
 * speaker notes. The notes of the first slide say that a stand-in made the file.
 */

import loaded from 'pptxgenjs'
import type { Deck } from '../deck.ts'
import { lengthOf } from './sentences.ts'
import { type SlideText, textOf } from './slide-text.ts'
import { readZip, writeZip } from './zip.ts'

// The types describe the CommonJS build; in the ES module the default export is the class itself.
const Presentation = loaded as unknown as typeof loaded.default
type Page = ReturnType<InstanceType<typeof Presentation>['addSlide']>

export const standInNotice =
  'Made by a stand-in for Presenton, for development and tests. ' +
  'No model was involved: all texts come from the summary.'

const colors = {
  dark: '1E1B4B',
  accent: '7C3AED',
  soft: 'EDE9FE',
  text: '1F2937',
  faint: '6B7280',
  white: 'FFFFFF',
}
const width = 13.333
const height = 7.5

/** The slides are in the deck's order. */
export async function writePptx(deck: Deck): Promise<Buffer> {
  const file = new Presentation()
  file.layout = 'LAYOUT_WIDE'
  file.author = 'Presenton stand-in'
  file.company = 'Presenton stand-in'
  file.title = deck.title?.trim() || 'Presentation'
  file.theme = { headFontFace: 'Calibri', bodyFontFace: 'Calibri' }
  const texts = deck.slides.map(textOf)
  const name = texts[0]?.title ?? ''
  for (const [index, text] of texts.entries()) {
    const page = file.addSlide()
    const isFirst = index === 0
    if (text.kind === 'title') drawTitle(page, text)
    else {
      drawHeading(page, text.title)
      if (text.kind === 'contents') drawContents(page, text.lines)
      else drawBody(page, text.lines)
      drawFooter(page, name, `${index + 1} / ${texts.length}`)
    }
    page.addNotes(
      [...(isFirst ? [standInNotice] : []), text.note].filter((note) => note !== '').join('\n\n'),
    )
  }
  return removeMissingParts((await file.write({ outputType: 'nodebuffer' })) as Buffer)
}

function drawTitle(page: Page, { title, lines }: SlideText): void {
  page.background = { color: colors.dark }
  page.addShape('rect', { x: 0, y: 0, w: 0.35, h: height, fill: { color: colors.accent } })
  page.addShape('ellipse', {
    x: width - 3.1,
    y: -1.6,
    w: 4.4,
    h: 4.4,
    fill: { color: colors.accent, transparency: 70 },
  })
  page.addShape('ellipse', {
    x: width - 1.9,
    y: 4.9,
    w: 3.6,
    h: 3.6,
    fill: { color: colors.white, transparency: 90 },
  })
  const fontSize = lengthOf(title) > 45 ? 36 : 44
  page.addText(title, {
    x: 1,
    y: 1.7,
    w: 9.6,
    h: 2,
    fontSize,
    bold: true,
    color: colors.white,
    valign: 'bottom',
    fit: 'shrink',
    ...direction(title),
  })
  page.addShape('rect', { x: 1.1, y: 3.9, w: 1.4, h: 0.07, fill: { color: colors.accent } })
  page.addText(lines.join('\n'), {
    x: 1,
    y: 4.15,
    w: 9.6,
    h: 1.8,
    fontSize: 20,
    color: colors.soft,
    valign: 'top',
    fit: 'shrink',
  })
}

function drawHeading(page: Page, title: string): void {
  page.background = { color: colors.white }
  page.addShape('rect', { x: 0, y: 0, w: 0.2, h: height, fill: { color: colors.accent } })
  const fontSize = lengthOf(title) > 44 ? 24 : 32
  page.addText(title, {
    x: 0.75,
    y: 0.45,
    w: 11.8,
    h: 0.95,
    fontSize,
    bold: true,
    color: colors.dark,
    valign: 'middle',
    fit: 'shrink',
    ...direction(title),
  })
  page.addShape('rect', { x: 0.85, y: 1.45, w: 1, h: 0.06, fill: { color: colors.accent } })
}

/**
 * Cards for a few lines, a list for many. More text gets a smaller font, since PowerPoint shrinks
 * text only when it is edited.
 */
function drawBody(page: Page, lines: readonly string[]): void {
  const length = lines.reduce((sum, line) => sum + lengthOf(line), 0)
  if (lines.length === 0) return
  if (lines.length <= 5 && length <= 750) drawCards(page, lines)
  else drawList(page, lines, length > 1200 ? 12 : length > 900 ? 14 : 16)
}

function drawCards(page: Page, lines: readonly string[]): void {
  const gap = 0.18
  const cardHeight = Math.min(
    lines.length <= 2 ? 2.3 : 1.5,
    (4.9 - gap * (lines.length - 1)) / lines.length,
  )
  const longest = Math.max(...lines.map(lengthOf))
  const fontSize = longest > 150 ? 15 : longest > 110 ? 17 : lines.length <= 2 ? 24 : 20
  for (const [index, line] of lines.entries()) {
    const y = 1.8 + index * (cardHeight + gap)
    page.addShape('roundRect', {
      x: 0.75,
      y,
      w: 11.8,
      h: cardHeight,
      fill: { color: 'F5F3FF' },
      rectRadius: 0.08,
    })
    page.addShape('rect', {
      x: 0.75,
      y: y + 0.12,
      w: 0.08,
      h: cardHeight - 0.24,
      fill: { color: colors.accent },
    })
    page.addText(line, {
      x: 1.1,
      y,
      w: 11.2,
      h: cardHeight,
      fontSize,
      color: colors.text,
      valign: 'middle',
      fit: 'shrink',
      ...direction(line),
    })
  }
}

function drawList(page: Page, lines: readonly string[], fontSize: number): void {
  const rows = lines.map((text) => ({
    text,
    options: { bullet: { indent: 20 }, breakLine: true, paraSpaceAfter: fontSize * 0.5 },
  }))
  page.addText(rows, {
    x: 0.75,
    y: 1.75,
    w: 11.8,
    h: 4.9,
    fontSize,
    color: colors.text,
    valign: 'top',
    fit: 'shrink',
  })
}

function drawContents(page: Page, lines: readonly string[]): void {
  const columns = lines.length > 7 ? 2 : 1
  const rows = Math.ceil(lines.length / columns)
  const rowHeight = Math.min(0.7, 4.9 / Math.max(1, rows))
  const fontSize = rowHeight < 0.4 ? 12 : columns === 2 ? 16 : 20
  const columnWidth = 11.6 / columns
  for (const [index, line] of lines.entries()) {
    const x = 0.85 + Math.floor(index / rows) * columnWidth
    const y = 1.8 + (index % rows) * rowHeight
    const number = {
      x,
      y,
      w: 0.55,
      h: rowHeight * 0.85,
      fontSize,
      bold: true,
      color: colors.accent,
      margin: 0,
    }
    page.addText(String(index + 1), number)
    page.addText(line, {
      x: x + 0.55,
      y,
      w: columnWidth - 0.75,
      h: rowHeight * 0.85,
      fontSize,
      color: colors.text,
      margin: 0,
      fit: 'shrink',
    })
  }
}

function drawFooter(page: Page, name: string, number: string): void {
  page.addShape('line', { x: 0.75, y: 6.9, w: 11.8, h: 0, line: { color: 'E5E7EB', width: 0.75 } })
  const style = { y: 6.95, h: 0.35, fontSize: 10, color: colors.faint, margin: 0 }
  page.addText(name, { ...style, x: 0.85, w: 9.5 })
  page.addText(number, { ...style, x: 10.55, w: 1.9, align: 'right' })
}

/** Arabic and Hebrew are written from right to left. */
function direction(text: string): { rtlMode?: boolean; align?: 'right' } {
  return /^[^\p{L}]*[\p{Script=Arabic}\p{Script=Hebrew}]/u.test(text)
    ? { rtlMode: true, align: 'right' }
    : {}
}

/**
 * pptxgenjs lists one slide master for each slide, though the file contains only the first. Strict
 * readers report that as an error.
 */
async function removeMissingParts(bytes: Buffer): Promise<Buffer> {
  const archive = await readZip(bytes)
  const types = archive.get('[Content_Types].xml')?.toString() ?? ''
  const real = types.replace(/<Override PartName="\/([^"]+)"[^>]*\/>/g, (entry, part: string) =>
    archive.has(part) ? entry : '',
  )
  archive.set('[Content_Types].xml', Buffer.from(real))
  return writeZip(archive)
}
