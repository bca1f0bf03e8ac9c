import { describe, expect, it } from 'vitest'
import type { Deck, Slide } from '../deck.ts'
import { createDeck } from '../deck.ts'
import { writePdf } from './pdf.ts'
import { standInNotice, writePptx } from './pptx.ts'
import { readZip, writeZip } from './zip.ts'

function deckOf(slides: [layout: string, title: string, lines: string[]][]): Deck {
  const rest = {
    file_paths: null,
    instructions: null,
    tone: 'default',
    verbosity: 'standard',
    web_search: false,
    theme: null,
  }
  const flags = { include_table_of_contents: false, include_title_slide: true }
  const deck = createDeck({ content: '', n_slides: slides.length, language: '', ...rest, ...flags })
  deck.slides = slides.map(([layout, title, lines], index): Slide => {
    const content = {
      title,
      bulletPoints: lines.map((line) => ({ title: line, icon: { __icon_url__: '/static/x.svg' } })),
    }
    const none = { ui: null, html_content: null, properties: null }
    return {
      id: `${index}`,
      presentation: deck.id,
      layout_group: 'general',
      layout,
      index,
      content,
      speaker_note: `Say ${title}`,
      ...none,
    }
  })
  return deck
}

const deck = deckOf([
  ['general:general-intro-slide', 'Überblick <&> "日本語"', ['😀 lead']],
  [
    'general:table-of-contents-slide',
    'Contents',
    Array.from({ length: 12 }, (_, index) => `Part ${index}`),
  ],
  ['general:basic-info-slide', 'Numbers', ['12 % less', 'العربية', 'x'.repeat(300)]],
  ['general:basic-info-slide', '', []],
])

describe('the PPTX of a deck', async () => {
  const archive = await readZip(await writePptx(deck))
  const read = (name: string) => archive.get(name)?.toString() ?? ''

  it('is a presentation with one slide for each slide of the deck', () => {
    expect(read('[Content_Types].xml')).toContain('presentationml.presentation.main+xml')
    expect(
      [...archive.keys()].filter((name) => /^ppt\/slides\/slide\d+\.xml$/.test(name)),
    ).toHaveLength(4)
    expect(read('ppt/presentation.xml').match(/<p:sldId /g)).toHaveLength(4)
  })

  it('lists no part that is missing', () => {
    const parts = [...read('[Content_Types].xml').matchAll(/PartName="\/([^"]+)"/g)].map(
      (match) => match[1] as string,
    )
    expect(parts.filter((part) => !archive.has(part))).toEqual([])
  })

  it('contains all texts of the slides, and their notes', () => {
    expect(read('ppt/slides/slide1.xml')).toContain('Überblick &lt;&amp;&gt; &quot;日本語&quot;')
    expect(read('ppt/slides/slide2.xml')).toContain('Part 11')
    for (const text of ['12 % less', 'العربية', 'x'.repeat(300), '3 / 4'])
      expect(read('ppt/slides/slide3.xml')).toContain(text)
    expect(read('ppt/notesSlides/notesSlide3.xml')).toContain('Say Numbers')
  })

  it('states in the notes of the first slide that a stand-in made it', () => {
    expect(read('ppt/notesSlides/notesSlide1.xml')).toContain(standInNotice)
    expect(standInNotice).toMatch(/stand-in for Presenton.*No model/)
  })
})

describe('the PDF of a deck', () => {
  it('has one page for each slide, in any script', async () => {
    const pdf = (await writePdf(deck)).toString('latin1')
    expect(pdf).toMatch(/^%PDF-1\.\d/)
    expect(pdf).toMatch(/%%EOF\s*$/)
    expect(pdf.match(/\/Type \/Page\b/g)).toHaveLength(4)
  })
})

describe('ZIP archives', () => {
  it('are read as they were written, and the same entries give the same bytes', async () => {
    const archive = new Map([
      ['a.txt', Buffer.from('a'.repeat(10_000))],
      ['dir/ü.bin', Buffer.alloc(0)],
    ])
    const bytes = await writeZip(archive)
    expect(await readZip(bytes)).toEqual(archive)
    expect(await writeZip(archive)).toEqual(bytes)
  })

  it('are rejected when their end is missing', async () => {
    const bytes = await writeZip(new Map([['a', Buffer.from('a')]]))
    await expect(readZip(bytes.subarray(0, 20))).rejects.toThrow(/central directory/)
  })
})
