// The entries of one PDF dictionary (ISO 32000-2, section 7.3), without a parser of whole files.
// Strings, nested dictionaries and comments are skipped, so that a word in them does not count as a
// key.

const whitespace = new Set([0x00, 0x09, 0x0a, 0x0c, 0x0d, 0x20])
const isRegular = (byte: number | undefined) =>
  byte !== undefined && !whitespace.has(byte) && !'()<>[]{}/%'.includes(String.fromCharCode(byte))

/**
 * The keys of the dictionary that begins at `at`, each with the first token of its value, which is
 * empty for an array and a dictionary. Undefined when there is no dictionary, or when it has no
 * end.
 */
export function readDictionary(bytes: Buffer, at: number): Map<string, string> | undefined {
  const tokens = tokensOf(bytes, at)
  if (tokens.next().value !== '<<') return undefined
  const entries = new Map<string, string>()
  let depth = 1
  let key: string | undefined
  for (const token of tokens) {
    if (token === '<<' || token === '[') {
      if (depth === 1) key = undefined
      depth += 1
    } else if (token === '>>' || token === ']') {
      depth -= 1
      if (depth === 0) return entries
    } else if (depth > 1) continue
    else if (key !== undefined) {
      entries.set(key, token)
      key = undefined
    } else if (token.startsWith('/')) {
      // What follows the first number of a reference, as in `5 0 R`, is no name.
      key = token.slice(1)
      entries.set(key, '')
    }
  }
  return undefined
}

/** Tokens from `at` on; strings are empty ones. Ends with the bytes. */
export function* tokensOf(bytes: Buffer, from: number): Generator<string> {
  let at = from
  while (at < bytes.length) {
    const byte = bytes[at] as number
    const char = String.fromCharCode(byte)
    if (whitespace.has(byte)) at += 1
    else if (char === '%') at = endOfLine(bytes, at)
    else if (char === '(') {
      at = endOfString(bytes, at)
      yield '()'
    } else if ((char === '<' || char === '>') && bytes[at + 1] === byte) {
      at += 2
      yield char + char
    } else if (char === '<') {
      const end = bytes.indexOf('>', at)
      at = end === -1 ? bytes.length : end + 1
      yield '()'
    } else if (char === '/' || isRegular(byte)) {
      const start = at
      at += 1
      while (isRegular(bytes[at])) at += 1
      const text = bytes.toString('latin1', start, at)
      yield char === '/' ? decodeName(text) : text
    } else {
      at += 1
      yield char
    }
  }
}

/** `/Encr#79pt` is `/Encrypt`. */
function decodeName(text: string): string {
  return text.replace(/#([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
}

function endOfLine(bytes: Buffer, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== 0x0a && bytes[at] !== 0x0d) at += 1
  return at
}

/** Parentheses may be nested, and escaped with a backslash. */
function endOfString(bytes: Buffer, from: number): number {
  let depth = 0
  for (let at = from; at < bytes.length; at += 1) {
    if (bytes[at] === 0x5c) at += 1
    else if (bytes[at] === 0x28) depth += 1
    else if (bytes[at] === 0x29) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return bytes.length
}
