// Addresses that the markup of a text loads. Upstream draws texts as Markdown with HTML in it, also
// in the browser of its exports. It finds too much rather than too little: nothing here parses HTML
// as a browser does, so what could be read in two ways is refused as a whole.

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
]

/** A style in which letters are written as codes. */
function hasCodedStyle(text: string): boolean {
  const at = text.search(/\bstyle\b/i)
  return at >= 0 && /\\|&(?!(?:amp|lt|gt|nbsp);)/i.test(text.slice(at))
}

// Each looks ahead at a value without taking it up, since the next one may be in it. Values without
// quotes are cut, so that no text takes long.
const maxBare = 300
const sources =
  /(?<=[\s"'/])(?:src|poster|lowsrc|dynsrc)\s*=(?=\s*("[^"]*"|'[^']*'|[^\s>]{0,300}))/gi
const sourceSets = /(?<=[\s"'/])(?:image)?srcset\s*=(?=\s*("[^"]*"|'[^']*'|[^\s>]{0,300}))/gi
const references = /(?<=[\s"'/:])(?:href|background)\s*=(?=\s*("[^"]*"|'[^']*'|[^\s>]{0,300}))/gi
const cssAddresses = /url\((?=\s*["']?([^"')\s]{0,300}))/gi
/** Where Markdown has an address: after a bracket, or in a definition. */
const markdownAddresses =
  /\]\((?=\s*<?([^\s)>]{0,300}))|^ {0,3}\[[^\]\n]{1,999}\]:(?=\s*<?([^\s>]{0,300}))/gm

const maxValues = 1_000

/** An undefined one cannot be read. */
function valuesOf(text: string, pattern: RegExp): (string | undefined)[] {
  const values: (string | undefined)[] = []
  for (const [, one, other] of text.matchAll(pattern)) {
    const given = one ?? other ?? ''
    const isQuoted = /^["']/.test(given) && given.length > 1 && given.endsWith(given.charAt(0))
    const value = (isQuoted ? given.slice(1, -1) : given).trim()
    const isCut = !isQuoted && given.length >= maxBare && !/^["']?data:image\//.test(given)
    if (value !== '' && !value.startsWith('#')) values.push(isCut ? undefined : value)
    if (values.length > maxValues) return [undefined]
  }
  return values
}

/** Of `srcset`. Commas of a `data:` address would mean two things. */
function addressesOfSet(value: string | undefined): (string | undefined)[] {
  if (value === undefined || /data:/i.test(value)) return [undefined]
  const addresses = value
    .split(',')
    .map((candidate) => candidate.trim().split(/\s+/)[0] ?? '')
    .filter((address) => address !== '')
  return addresses.length > maxValues ? [undefined] : addresses
}

/** The whole text stands for what cannot be read. */
export function addressesIn(text: string): string[] {
  const hasImage = text.includes('![')
  const isMarkup = hasTag.test(text)
  if (!hasImage && !isMarkup) return []
  const found: (string | undefined)[] = hasImage ? valuesOf(text, markdownAddresses) : []
  if (isMarkup) {
    if (hasCodedStyle(text) || refused.some((pattern) => pattern.test(text))) return [text]
    const names = [...text.matchAll(tagNames)].map(([, name = '']) => name.toLowerCase())
    const isInline = names.every((name) => inlineTags.has(name))
    found.push(
      ...valuesOf(text, sources),
      ...valuesOf(text, sourceSets).flatMap(addressesOfSet),
      ...(isInline ? [] : valuesOf(text, references)),
      ...valuesOf(text, cssAddresses),
    )
  }
  const addresses = found.map((address) => address?.replaceAll('&amp;', '&'))
  const isPlain = (address: string | undefined): address is string =>
    address !== undefined && !/&(?:#|\w+;)/.test(address)
  return addresses.every(isPlain) ? addresses : [text]
}
