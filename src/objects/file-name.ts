// What a downloaded file is called: the title that a user or a model wrote, made safe for a header
// and for every file system.

/**
 * Most file systems take 255 bytes; browsers add " (1)", and some save to paths that are long
 * already.
 */
const maxChars = 150
const maxBytes = 200

/**
 * Control characters, half surrogate pairs, and the invisible signs that turn `fdp.exe` around,
 * save the joiners emoji are made of.
 */
const invisible = /(?!\u200c|\u200d|\s)[\p{Cc}\p{Cf}\p{Cs}]/gu
const separators = /[/\\:*?"<>|]+/g
/** Devices on Windows, whatever comes behind the first dot. */
const reserved = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)/i

export function downloadFileName(title: string | null | undefined, format: 'pptx' | 'pdf'): string {
  const extension = `.${format}`
  // A bound first: what follows looks at long runs of dots and marks more than once.
  const plain = (title ?? '')
    .slice(0, maxChars * 4)
    .normalize('NFC')
    .replace(invisible, '')
    .replace(separators, '-')
    .replace(/\s+/g, ' ')
  const withoutExtension = plain.toLowerCase().endsWith(extension)
    ? plain.slice(0, -extension.length)
    : plain
  const unreserved = trimmed(withoutExtension).replace(reserved, '_$&')
  return `${trimmed(shortened(unreserved, extension.length)) || 'presentation'}${extension}`
}

/** Dots and spaces at the ends are lost on Windows, and hide a file on Unix. */
function trimmed(text: string): string {
  return text.replace(/^(?:\s|\.|\u200c|\u200d)+|(?:\s|\.|\u200c|\u200d)+$/g, '')
}

/** Cuts between what a reader sees as characters, so that no emoji and no accent is torn. */
function shortened(text: string, reservedChars: number): string {
  let [short, bytes] = ['', reservedChars]
  // A bound before the costly split: a single "character" may have thousands of marks.
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, maxChars * 2))) {
    bytes += Buffer.byteLength(segment)
    if (bytes > maxBytes || short.length + segment.length + reservedChars > maxChars) break
    short += segment
  }
  return short
}

/**
 * The header's value after RFC 6266: plain ASCII for old readers, and RFC 8187 for all others.
 * Takes any text without harm.
 */
export function contentDisposition(fileName: string): string {
  const wellFormed = fileName.replace(/\p{Cs}/gu, '')
  const ascii = wellFormed
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    // Some readers decode percent signs in the plain form, too.
    .replace(/[^\x20-\x7e]+|["\\%]/g, '_')
  // encodeURIComponent leaves these alone, which RFC 8187 does not allow.
  const extended = encodeURIComponent(wellFormed).replace(
    /['()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`
}
