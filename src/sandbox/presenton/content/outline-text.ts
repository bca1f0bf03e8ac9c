/**
 * Parses the Markdown of an outline.
 */

export type OutlineText = { title: string; lines: string[] }

/** Its heading and bullets; without a heading the first line is the title. */
export function readOutline(markdown: string): OutlineText {
  const rows = markdown
    .split(/\r?\n/)
    .map((row) => row.trim())
    .filter((row) => row !== '')
  const strip = (row: string) =>
    row.replace(/^(?:#{1,6}\s*|[-*+•]\s+|\d{1,3}[.)]\s+)/u, '').replace(/\*\*|__/g, '')
  const [title = '', ...lines] = rows.map(strip)
  return { title, lines }
}
