// Which images and links a slide may name. An export opens each of them in upstream's own browser,
// from where it could reach what no user may reach. So only what is known to be harmless passes,
// and what the deck has already.

import type { InvalidPlace } from '../../contract/problem.ts'
import { decodePlainPath } from '../../presenton/plain-path.ts'
import { addressesIn } from './markup.ts'

/**
 * `address`: any text is one. `part`: a text within the description of an image, which is an
 * address if it looks like one. `text`: a text for people or the model. Markup in the last two may
 * name addresses, too.
 */
type Kind = 'address' | 'part' | 'text'

export interface NamedImage {
  /** Where it is, as a JSON pointer. */
  path: string
  text: string
}

const addressName =
  /^(?:src|url|href)$|(?:^|[_-])(?:src|srcset|url|href)_*$|(?:Src|SrcSet|Url|Href)$/
const imageName = /image|icon/i
const textName = /prompt|query/i
const address = /^(?:[/\\]|[a-z][a-z\d+.-]*:\/\/|(?:https?|ftp|wss?|data|javascript|file|blob):)/i
/** Browsers drop white space and control characters of an address. */
const withoutSpace = (text: string) => text.replace(/[\p{Cc}\s]+/gu, '')

function kindOf(name: string, outer: Kind): Kind {
  if (textName.test(name)) return 'text'
  if (addressName.test(name)) return 'address'
  return name === 'data' || imageName.test(name) ? 'part' : outer
}

function isAddress(text: string, kind: Kind, name: string): boolean {
  const bare = withoutSpace(text)
  if (bare === '' || bare.startsWith('#')) return false
  if (kind === 'address' || address.test(bare)) return true
  // `image: "api/x"` leads somewhere, `icon: "star"` does not.
  return /(?:image|icon)s?_*$|^data$/i.test(name) && /[/\\:]|\.\w+$|^url\(/.test(bare)
}

/** What is only tested for images in `data` is so in the elements that are drawn from it. */
const isImage = ({ type, is_icon: isIcon }: Record<string, unknown>) =>
  isIcon !== undefined || type === 'image' || type === 'svg' || type === 'icon'

/** Calls `visit` for each address of an image or a link, also in the markup of texts. */
export function visitImages(
  value: unknown,
  visit: (image: NamedImage) => void,
  path = '',
  { name = '', kind = 'text' as Kind } = {},
): void {
  if (typeof value === 'string') {
    if (kind !== 'text' && isAddress(value, kind, name)) visit({ path, text: value })
    else for (const text of addressesIn(value)) visit({ path, text })
    return
  }
  if (typeof value !== 'object' || value === null) return
  if (Array.isArray(value)) {
    for (const [index, item] of value.entries())
      visitImages(item, visit, `${path}/${index}`, { name, kind })
    return
  }
  for (const [key, inner] of Object.entries(value)) {
    const isData = key === 'data' && isImage(value as Record<string, unknown>)
    const place = `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    // A text in an image's object is not a part of what encloses the object.
    const outer = kind === 'address' ? 'part' : kind
    visitImages(inner, visit, place, { name: key, kind: isData ? 'address' : kindOf(key, outer) })
  }
}

const sharedRoots = ['/static/', '/app_data/templates/']
const imagesRoot = '/app_data/images/'

/** The path that a browser would ask upstream for; undefined for anything that is not plain. */
function pathOf(text: string): string | undefined {
  if (!/^\/(?![/\\])/.test(text) || /[\p{Cc}\\]/u.test(text)) return undefined
  const base = 'http://upstream.invalid'
  if (!URL.canParse(text, base)) return undefined
  return decodePlainPath(new URL(text, base).pathname)
}

/** Whether an image is everybody's, or of no address at all. */
export function isShared(text: string): boolean {
  if (/^data:image\//.test(text)) return true
  const path = pathOf(inCss(text))
  return path !== undefined && sharedRoots.some((root) => path.startsWith(root))
}

const inCss = (text: string) => /^\s*url\((['"]?)([^'"()]*)\1\)\s*$/.exec(text)?.[2] ?? text

/** The path of an image that upstream keeps for an account; undefined for anything else. */
export function imagePathOf(text: string): string | undefined {
  const path = pathOf(inCss(text))
  return path?.startsWith(imagesRoot) ? path : undefined
}

export interface ImageRule {
  /** Those that the deck has already. */
  known: (text: string) => boolean
  /** Whether an image below /app_data/images is of the account. */
  isOwn: (path: string) => boolean
  /** Of other servers, over https. */
  hosts: ReadonlySet<string>
}

function isAllowed(text: string, { known, isOwn, hosts }: ImageRule): boolean {
  if (isShared(text) || known(text)) return true
  const path = imagePathOf(text)
  if (path !== undefined) return isOwn(path)
  const given = inCss(text)
  if (!/^https:\/\//.test(given) || /[\p{Cc}\s\\]/u.test(given) || !URL.canParse(given))
    return false
  const { host, username, password } = new URL(given)
  return hosts.has(host) && username === '' && password === ''
}

const maxErrors = 10

/** What of a value is refused, at most ten places. */
export function findRefused(value: unknown, rule: ImageRule, path = ''): InvalidPlace[] {
  const errors: InvalidPlace[] = []
  const message = 'must be an image of yours, a shared image, or data:image/'
  visitImages(
    value,
    (image) => {
      if (errors.length >= maxErrors || isAllowed(image.text, rule)) return
      // A text may have many.
      if (errors.at(-1)?.path === image.path) return
      errors.push({ path: image.path, message })
    },
    path,
  )
  return errors
}
