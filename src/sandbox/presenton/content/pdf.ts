/**
 * The same deck as a PDF, one page a slide. The standard fonts know Western letters only: what they
 * lack becomes a visible mark.
 */

import PDFDocument from 'pdfkit'
import type { Deck } from '../deck.ts'
import { confession } from './pptx.ts'
import { textOf } from './slide-text.ts'

const page = { width: 960, height: 540 }
const ink = {
  dark: '#1E1B4B',
  accent: '#7C3AED',
  text: '#1F2937',
  faint: '#6B7280',
  white: '#FFFFFF',
}

export async function writePdf(deck: Deck): Promise<Buffer> {
  const texts = deck.slides.map(textOf)
  const info = {
    Title: readable(deck.title?.trim() ?? ''),
    Subject: confession,
    Creator: 'Presenton stand-in',
  }
  const file = new PDFDocument({
    size: [page.width, page.height],
    margin: 0,
    autoFirstPage: false,
    info,
  })
  const parts: Buffer[] = []
  file.on('data', (part: Buffer) => parts.push(part))
  const whole = new Promise<Buffer>((resolve, reject) => {
    file.on('end', () => resolve(Buffer.concat(parts)))
    file.on('error', reject)
  })

  for (const [index, { title, lines, kind }] of texts.entries()) {
    file.addPage()
    const dark = kind === 'title'
    file.rect(0, 0, page.width, page.height).fill(dark ? ink.dark : ink.white)
    file.rect(0, 0, dark ? 24 : 14, page.height).fill(ink.accent)
    const at = { top: dark ? 170 : 40, left: 60, width: 840 }
    file
      .font('Helvetica-Bold')
      .fontSize(dark ? 38 : 28)
      .fillColor(dark ? ink.white : ink.dark)
    file.text(readable(title), at.left, at.top, { width: at.width, height: 110, ellipsis: true })
    file.rect(at.left, file.y + 8, 80, 4).fill(ink.accent)
    const body = lines.map((line) => (dark ? line : `•  ${line}`)).join('\n')
    const letters = body.length > 700 ? 14 : body.length > 350 ? 17 : 21
    file
      .font('Helvetica')
      .fontSize(letters)
      .fillColor(dark ? ink.white : ink.text)
    file.text(readable(body), at.left, file.y + 30, {
      width: at.width,
      height: 360,
      lineGap: 6,
      paragraphGap: 8,
      ellipsis: true,
    })
    if (dark) continue
    file.fontSize(10).fillColor(ink.faint)
    file.text(`${index + 1} / ${texts.length}`, page.width - 160, page.height - 30, {
      width: 100,
      align: 'right',
      lineBreak: false,
    })
  }
  if (texts.length === 0) file.addPage()
  file.end()
  return whole
}

/** What WinAnsi can't write is first taken apart (ě to e), then shown as a mark. */
function readable(text: string): string {
  return [...text].map((letter) => (known(letter) ? letter : plain(letter))).join('')
}

const extra = '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ'

function known(letter: string): boolean {
  return letter === '\n' || /^[\u0020-\u007e\u00a0-\u00ff]$/.test(letter) || extra.includes(letter)
}

function plain(letter: string): string {
  const base = [...letter.normalize('NFKD').replace(/\p{M}/gu, '')].filter(known).join('')
  return base || (/^[\p{M}\p{Cf}\p{Cc}]$/u.test(letter) ? '' : '¤')
}
