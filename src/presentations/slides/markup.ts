// Addresses that the markup of a text loads. Upstream draws texts as Markdown with HTML in it, also in
// the browser of its exports. It finds too much rather than too little: nothing here parses HTML as a
// browser does, so what could be read in two ways is refused as a whole.

const hasTag = /<[a-z!?/]/i
const tagNames = /<([a-z][^\s/>]*)/gi

/** They load nothing by themselves, and their links are only followed by a click. */
const inlineTags = new Set([
  ...['a', 'abbr', 'b', 'blockquote', 'br', 'cite', 'code', 'del', 'div', 'em', 'font', 'hr', 'i'],
  ...['h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'img', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 'q'],
  ...['s', 'small', 'span', 'strike', 'strong', 'sub', 'sup', 'u', 'ul', 'var'],
])

/** What runs a script, loads a document, or says elsewhere what is loaded. */
const refused = [
  /(?<=[\s"'/])on[a-z]+\s*=/i,
  /(?<=[\s"'/])(?:srcdoc|attributename|http-equiv)\s*=/i,
  /<(?:script|iframe|frame|object|embed|portal|fencedframe|base|link|meta|applet)[\s/]+[^\s/>]/i,
  /@import|image-set\s*\(/i,
  // A style in which letters are written as codes.
  /\bstyle\b[\s\S]*(?:\\|&(?!(?:amp|lt|gt|nbsp);))/i,
]

/** Without taking up the value, in which the next one may be. */
const attributeValue = String.raw`\s*=(?=\s*("[^"]*"|'[^']*'|[^\s>]*))`
const sources = new RegExp(
  String.raw`(?<=[\s"'/])(?:src|poster|lowsrc|dynsrc)${attributeValue}`,
  'gi',
)
const sourceSets = new RegExp(String.raw`(?<=[\s"'/])(?:image)?srcset${attributeValue}`, 'gi')
const references = new RegExp(String.raw`(?<=[\s"'/:])(?:href|background)${attributeValue}`, 'gi')
const cssAddresses = /url\((?=\s*["']?([^"')\s]*))/gi
/** Where Markdown has an address: after a bracket, or in a definition. */
const markdownAddresses = /\]\((?=\s*<?([^\s)>]*))|^ {0,3}\[[^\]]+\]:(?=\s*<?([^\s>]*))/gm

function valuesOf(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)]
    .map(([, one, other]) => (one ?? other ?? '').replace(/^(["'])([\s\S]*)\1$/, '$2').trim())
    .filter((value) => value !== '' && !value.startsWith('#'))
}

/** Of `srcset`; undefined for a form in which commas mean two things. */
function addressesOfSet(value: string): string[] | undefined {
  if (/data:/i.test(value)) return undefined
  return value
    .split(',')
    .map((candidate) => candidate.trim().split(/\s+/)[0] ?? '')
    .filter((address) => address !== '')
}

/** The whole text stands for what cannot be read. */
export function addressesIn(text: string): string[] {
  const hasImage = text.includes('![')
  const isMarkup = hasTag.test(text)
  if (!hasImage && !isMarkup) return []
  const found: (string | undefined)[] = hasImage ? valuesOf(text, markdownAddresses) : []
  if (isMarkup) {
    if (refused.some((pattern) => pattern.test(text))) return [text]
    const names = [...text.matchAll(tagNames)].map(([, name = '']) => name.toLowerCase())
    const isInline = names.every((name) => inlineTags.has(name))
    found.push(
      ...valuesOf(text, sources),
      ...valuesOf(text, sourceSets).flatMap((value) => addressesOfSet(value)),
      ...(isInline ? [] : valuesOf(text, references)),
      ...valuesOf(text, cssAddresses),
    )
  }
  const addresses = found.map((address) => address?.replaceAll('&amp;', '&'))
  const isPlain = (address: string | undefined): address is string =>
    address !== undefined && !/&(?:#|\w+;)/.test(address)
  return addresses.every(isPlain) ? addresses : [text]
}
