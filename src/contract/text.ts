// The patterns of texts on the wire. Every tool reads them: no lone surrogate, no `\p{…}`, and only
// escapes that ECMA-262, Python, Java, .NET and Rust share.

/** Unicode Cc but tab and line ends. */
const controls = '\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f'

/** White space and format characters (Unicode Z and Cf) of the basic plane, and no controls. */
const blanks = [
  '\\t\\n\\r \\xa0\\xad\\u0600-\\u0605\\u061c\\u06dd\\u070f\\u0890\\u0891\\u08e2\\u1680\\u180e',
  '\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u2064\\u2066-\\u206f\\u3000\\ufeff\\ufff9-\\ufffb',
].join('')

/** Without control characters. */
export const cleanText = `^[^${controls}]*$`

/** The same with at least one visible character. Its classes exclude each other: linear time. */
export const visibleText = `^[${blanks}]*[^${blanks}${controls}][^${controls}]*$`

/** The format `uuid` alone also allows `urn:uuid:…`, which Postgres does not take. */
export const uuidPattern = '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'

/** One to 255 visible ASCII characters. */
export const visibleAscii = '^[!-~]{1,255}$'

/** The id of an event; nothing for none. */
export const eventId = '^[0-9]{0,4096}$'

/**
 * The format of texts that may be stored: JSON escapes can spell lone surrogates, which neither
 * UTF-8 nor Postgres can hold. A pattern cannot say that, because most engines refuse surrogates.
 */
export const unicodeFormat = 'unicode'

const blankPattern = new RegExp(`^[${blanks}]*$`, 'u')

/** Why a text failed its pattern or its format. */
export function explainText(text: unknown): string {
  return typeof text === 'string' && blankPattern.test(text)
    ? 'must not be blank'
    : 'must not contain control characters or lone surrogates'
}
