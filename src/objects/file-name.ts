// The name of a downloaded file: the title, which a user or a model wrote, made safe for a header
// and for all file systems.
import type { ExportFormat } from '../contract/presentation.ts'

/**
 * Most file systems allow 255 bytes. Browsers append " (1)", and some save into paths that are
 * already long.
 */
const maxChars = 150
const maxBytes = 200

/**
 * Control characters, half surrogate pairs, and format characters: some of them reverse the
 * direction of text, so that `gepj.exe` looks like an image. The joiners of emoji stay.
 */
const invisible = /(?!\u200c|\u200d|\s)[\p{Cc}\p{Cf}\p{Cs}]/gu
const separators = /[/\\:*?"<>|]+/g
/** Device names on Windows, also with an extension. */
const reserved = /^(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])\s*(?:\.|$)/i

/** With the extension of `format`; `presentation` when the title has no usable character. */
export function downloadFileName(title: string | null | undefined, format: ExportFormat): string {
  const extension = `.${format}`
  // Cut first: the patterns below take quadratic time on long runs of dots and marks.
  const plain = (title ?? '')
    .slice(0, maxChars * 4)
    .normalize('NFC')
    .replace(invisible, '')
    .replace(separators, '-')
    .replace(/\s+/g, ' ')
  const withoutExtension = plain.toLowerCase().endsWith(extension)
    ? plain.slice(0, -extension.length)
    : plain
  const unreserved = trimEnds(withoutExtension).replace(reserved, '_$&')
  return `${trimEnds(shorten(unreserved, extension.length)) || 'presentation'}${extension}`
}

/** Windows drops dots and spaces at the end of a name; on Unix a dot at the start hides a file. */
function trimEnds(text: string): string {
  return text.replace(/^(?:\s|\.|\u200c|\u200d)+|(?:\s|\.|\u200c|\u200d)+$/g, '')
}

/** Cuts between grapheme clusters, so that no emoji and no accented letter is split. */
function shorten(text: string, extensionChars: number): string {
  let short = ''
  let bytes = extensionChars
  // Cut before the expensive segmentation: one grapheme may have thousands of marks.
  for (const { segment } of new Intl.Segmenter().segment(text.slice(0, maxChars * 2))) {
    bytes += Buffer.byteLength(segment)
    if (bytes > maxBytes || short.length + segment.length + extensionChars > maxChars) break
    short += segment
  }
  return short
}

/**
 * The header's value as in RFC 6266: ASCII for old clients, RFC 8187 for all others. Accepts any
 * text.
 */
export function contentDisposition(fileName: string): string {
  const wellFormed = fileName.replace(/\p{Cs}/gu, '')
  const ascii = wellFormed
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    // Some clients decode percent signs in the ASCII form too.
    .replace(/[^\x20-\x7e]+|["\\%]/g, '_')
  // RFC 8187 does not allow these four, which encodeURIComponent keeps.
  const extended = encodeURIComponent(wellFormed).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
  return `attachment; filename="${ascii}"; filename*=UTF-8''${extended}`
}
