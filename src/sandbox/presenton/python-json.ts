/**
 * JSON as upstream writes it. Replies of FastAPI are compact, in UTF-8. Event streams come from
 * `json.dumps`: a space after comma and colon, non-ASCII as \uXXXX. Measures inside `ui` are Python
 * floats: 16 becomes 16.0.
 */

type Style = { comma: string; colon: string; ascii: boolean }

const compact: Style = { comma: ',', colon: ':', ascii: false }
const spaced: Style = { comma: ', ', colon: ': ', ascii: true }

/** Members of `ui` that are floats. */
const floatKeys = new Set(
  (
    'x y width height size rotation opacity blur offset_x offset_y line_height ' +
    'tl tr bl br corner_radii column_gap row_gap'
  ).split(' '),
)

export function compactJson(value: unknown): string {
  return write(value, compact, '', false)
}

export function spacedJson(value: unknown): string {
  return write(value, spaced, '', false)
}

function write(value: unknown, style: Style, key: string, inUi: boolean): string {
  if (value === null || value === undefined) return 'null'
  if (typeof value === 'string') return quote(value, style)
  if (typeof value === 'number')
    return inUi && floatKeys.has(key) && Number.isInteger(value) ? `${value}.0` : String(value)
  if (typeof value !== 'object') return JSON.stringify(value)
  if (Array.isArray(value))
    return `[${value.map((item) => write(item, style, key, inUi)).join(style.comma)}]`
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .map(
      ([name, member]) =>
        quote(name, style) + style.colon + write(member, style, name, inUi || name === 'ui'),
    )
  return `{${members.join(style.comma)}}`
}

function quote(text: string, style: Style): string {
  const quoted = JSON.stringify(text)
  if (!style.ascii) return quoted
  return quoted.replace(
    /[\u0080-\uffff]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
