/**
 * The same deck as a PDF, one page for each slide. The standard fonts have only Western letters;
 * other characters are replaced by a visible mark.
 */

import PDFDocument from 'pdfkit'
import type { Deck } from '../deck.ts'
import { standInNotice } from './pptx.ts'
import { textOf } from './slide-text.ts'

const pageSize = { width: 960, height: 540 }
const colors = {
  dark: '#1E1B4B',
  accent: '#7C3AED',
  text: '#1F2937',
  faint: '#6B7280',
  white: '#FFFFFF',
}

export async function writePdf(deck: Deck): Promise<Buffer> {
  const texts = deck.slides.map(textOf)
  const info = {
    Title: replaceUnknown(deck.title?.trim() ?? ''),
    Subject: standInNotice,
    Creator: 'Presenton stand-in',
  }
  const file = new PDFDocument({
    size: [pageSize.width, pageSize.height],
    margin: 0,
    autoFirstPage: false,
    info,
  })
  const chunks: Buffer[] = []
  file.on('data', (chunk: Buffer) => chunks.push(chunk))
  const complete = new Promise<Buffer>((resolve, reject) => {
    file.on('end', () => resolve(Buffer.concat(chunks)))
    file.on('error', reject)
  })

  for (const [index, { title, lines, kind }] of texts.entries()) {
    file.addPage()
    const isTitle = kind === 'title'
    file.rect(0, 0, pageSize.width, pageSize.height).fill(isTitle ? colors.dark : colors.white)
    file.rect(0, 0, isTitle ? 24 : 14, pageSize.height).fill(colors.accent)
    const at = { top: isTitle ? 170 : 40, left: 60, width: 840 }
    file
      .font('Helvetica-Bold')
      .fontSize(isTitle ? 38 : 28)
      .fillColor(isTitle ? colors.white : colors.dark)
    file.text(replaceUnknown(title), at.left, at.top, {
      width: at.width,
      height: 110,
      ellipsis: true,
    })
    file.rect(at.left, file.y + 8, 80, 4).fill(colors.accent)
    const body = lines.map((line) => (isTitle ? line : `•  ${line}`)).join('\n')
    const fontSize = body.length > 700 ? 14 : body.length > 350 ? 17 : 21
    file
      .font('Helvetica')
      .fontSize(fontSize)
      .fillColor(isTitle ? colors.white : colors.text)
    file.text(replaceUnknown(body), at.left, file.y + 30, {
      width: at.width,
      height: 360,
      lineGap: 6,
      paragraphGap: 8,
      ellipsis: true,
    })
    if (isTitle) continue
    file.fontSize(10).fillColor(colors.faint)
    file.text(`${index + 1} / ${texts.length}`, pageSize.width - 160, pageSize.height - 30, {
      width: 100,
      align: 'right',
      lineBreak: false,
    })
  }
  if (texts.length === 0) file.addPage()
  file.end()
  return complete
}

/** Characters outside of WinAnsi lose their marks (ě becomes e), or are replaced. */
function replaceUnknown(text: string): string {
  return [...text].map((char) => (isWinAnsi(char) ? char : plainCharOf(char))).join('')
}

const winAnsiExtras = '€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ'

function isWinAnsi(char: string): boolean {
  return (
    char === '\n' || /^[\u0020-\u007e\u00a0-\u00ff]$/.test(char) || winAnsiExtras.includes(char)
  )
}

function plainCharOf(char: string): string {
  const base = [...char.normalize('NFKD').replace(/\p{M}/gu, '')].filter(isWinAnsi).join('')
  return base || (/^[\p{M}\p{Cf}\p{Cc}]$/u.test(char) ? '' : '¤')
}
