// The name and the file name in a part's Content-Disposition. Browsers send UTF-8 as raw bytes,
// older clients Latin-1 or the form of RFC 5987.

export interface Disposition {
  name: string
  fileName: string | undefined
}

const parameter = /;\s*([\w!#$%&'+.^`|~-]{1,40}\*?)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^;\s]*))/g

/** `value` has one character for each byte. */
export function parseDisposition(value: string): Disposition {
  const found = new Map<string, string>()
  for (const [, key = '', quoted, plain = ''] of value.matchAll(parameter)) {
    found.set(key.toLowerCase(), quoted === undefined ? plain : unquoted(quoted))
  }
  const fileName = found.get('filename')
  const extended = decodeExtended(found.get('filename*') ?? '')
  return {
    name: decodeBytes(found.get('name') ?? ''),
    fileName: extended ?? (fileName === undefined ? undefined : decodeBytes(fileName)),
  }
}

/** Browsers escape a quote as `%22`, others with a backslash; paths of Windows have backslashes. */
function unquoted(text: string): string {
  return text.replace(/\\(["\\])/g, '$1').replace(/%22/g, '"')
}

const utf8 = new TextDecoder('utf-8', { fatal: true })
const latin1 = new TextDecoder('windows-1252')

function decodeBytes(text: string): string {
  const bytes = Buffer.from(text, 'latin1')
  try {
    return utf8.decode(bytes)
  } catch {
    return latin1.decode(bytes)
  }
}

/** RFC 5987: `UTF-8''%e2%82%ac.txt`. Undefined for any other form. */
function decodeExtended(text: string): string | undefined {
  const [, charset = '', encoded] = /^(utf-8|iso-8859-1)'[^']*'(.*)$/i.exec(text) ?? []
  if (encoded === undefined) return undefined
  const bytes = encoded.replace(/%([\da-f]{2})/gi, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  )
  return charset.toLowerCase() === 'utf-8'
    ? decodeBytes(bytes)
    : latin1.decode(Buffer.from(bytes, 'latin1'))
}
