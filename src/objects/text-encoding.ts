// Byte order marks: they say in which encoding a text is.

export type MarkedEncoding = 'utf-8' | 'utf-16le' | 'utf-16be'

/** Undefined without a mark. Three bytes suffice. */
export function encodingOfMark(start: Uint8Array): MarkedEncoding | undefined {
  const [first, second, third] = start
  if (first === 0xef && second === 0xbb && third === 0xbf) return 'utf-8'
  if (first === 0xff && second === 0xfe) return 'utf-16le'
  if (first === 0xfe && second === 0xff) return 'utf-16be'
  return undefined
}
