// The title of a presentation whose brief has none: upstream's, or the beginning of its first
// outline.

const maxChars = 200

/** One line without Markdown signs, at most 200 code points; null when nothing is left. */
export function titleFrom(upstream: string | null, outlines: string[]): string | null {
  const firstLine = outlines[0]?.trim().split('\n')[0] ?? ''
  return clean(upstream ?? '') || clean(firstLine) || null
}

function clean(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .replace(/^[\s#*>-]+/, '')
    .trim()
  return [...line].slice(0, maxChars).join('').trim()
}
