// The title of a presentation whose brief has none: upstream's, which is the beginning of its first
// outline.

const longest = 200

/** One line without markdown signs, at most 200 code points; null when nothing is left. */
export function titleFrom(upstream: string | null, outlines: string[]): string | null {
  return clean(upstream ?? '') || clean(outlines[0]?.trim().split('\n')[0] ?? '') || null
}

function clean(text: string): string {
  const line = text
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\s]+/gu, ' ')
    .replace(/^[\s#*>-]+/, '')
    .trim()
  return [...line].slice(0, longest).join('').trim()
}
