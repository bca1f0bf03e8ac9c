/**
 * Finds title and lines in the content of a slide of any layout: slides may be edited, or come from
 * recorded traffic.
 */

import type { Slide } from '../deck.ts'

export type SlideText = {
  title: string
  lines: string[]
  note: string
  kind: 'title' | 'contents' | 'body'
}

const titleKey = /^(title|headline_text|primary_heading|slide_headline|large_heading|heading)$/

export function textOf(slide: Slide): SlideText {
  const found: { title: string | undefined; lines: string[] } = { title: undefined, lines: [] }
  walk(slide.content, found, 0)
  const title = found.title ?? found.lines.shift() ?? ''
  const kind = /intro|title_slide/.test(slide.layout)
    ? 'title'
    : /contents/.test(slide.layout)
      ? 'contents'
      : 'body'
  return { title, lines: found.lines, note: slide.speaker_note ?? '', kind }
}

/** The first title found is the slide's. Each member of a list is one line. */
function walk(
  value: unknown,
  found: { title: string | undefined; lines: string[] },
  depth: number,
): void {
  if (!value || typeof value !== 'object') return
  for (const [key, member] of Object.entries(value)) {
    if (/^__|_prompt$|_url$|_query$|image$/i.test(key)) continue
    if (typeof member === 'string' && titleKey.test(key) && found.title === undefined)
      found.title = member
    else if (typeof member === 'string' || typeof member === 'number')
      addLine(found.lines, String(member))
    else if (Array.isArray(member)) for (const item of member) addLine(found.lines, lineOf(item))
    else if (depth < 6) walk(member, found, depth + 1)
  }
}

function lineOf(item: unknown): string {
  if (typeof item === 'string' || typeof item === 'number') return String(item)
  const inner = { title: '' as string | undefined, lines: [] as string[] }
  walk(item, inner, 1)
  return inner.lines.join(' – ')
}

function addLine(lines: string[], line: string): void {
  if (line.trim() !== '') lines.push(line)
}
