// Whether a body may replace members of a slide: its size, its texts, and the addresses of its
// pictures. An export opens each of those in upstream's own browser.

import type { InvalidPlace } from '../../contract/problem.ts'
import { maxMemberBytes, type SlideChange } from '../../contract/slide-changes.ts'
import { Problem } from '../../domain/problem.ts'
import { findImagePaths } from '../../presenton/image-paths.ts'

type Visit = (text: string, place: { pointer: string; name: string }) => void

/** Calls `visit` for each text, its keys included, with the name of the member that holds it. */
function visitTexts(value: unknown, visit: Visit, pointer: string, name = ''): void {
  if (typeof value === 'string') visit(value, { pointer, name })
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const isItem = Array.isArray(value)
    const inside = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!isItem) visit(key, { pointer: inside, name: '' })
    visitTexts(inner, visit, inside, isItem ? name : key)
  }
}

const refuse = (errors: InvalidPlace[]) => new Problem('VALIDATION_FAILED', { errors })

/** Upstream's database holds neither. */
const isStorable = (text: string) => text.isWellFormed() && !text.includes('\0')

/** @throws Problem VALIDATION_FAILED */
export function checkSize({ content, ui }: SlideChange): void {
  const errors: InvalidPlace[] = []
  for (const [name, member] of Object.entries({ content, ui })) {
    if (member === undefined) continue
    if (Buffer.byteLength(JSON.stringify(member)) > maxMemberBytes)
      errors.push({ path: `/${name}`, message: 'must have at most 256 KiB' })
    visitTexts(
      member,
      (text, { pointer }) => {
        if (!isStorable(text) && errors.length < 10)
          errors.push({ path: pointer, message: 'must not contain NULs or lone surrogates' })
      },
      `/${name}`,
    )
  }
  if (errors.length > 0) throw refuse(errors)
}

/** `image_prompt` and `icon_query` are texts. */
const namesPicture = (name: string) =>
  /^(src|url|href|data)$|image|icon/i.test(name) && !/prompt|query/i.test(name)
const address = /^(?:[/\\]|[a-z][a-z0-9+.-]*:\/\/|(?:https?|ftp|wss?|data|javascript|file|blob):)/i
/** Browsers drop white space and control characters of an address. */
const isAddress = (text: string) => address.test(text.replace(/[\p{Cc}\s]+/gu, ''))
const isShared = (text: string) =>
  /^(?:\/static\/|\/app_data\/templates\/|data:image\/)/.test(text) && !text.includes('..')

/**
 * Finds addresses that the deck has not had. Those of a user's own images pass, if `isOwn` says so.
 *
 * @throws Problem VALIDATION_FAILED
 */
export function checkPictures(
  { content, ui }: SlideChange,
  { known, isOwn }: { known: unknown; isOwn: (path: string) => boolean },
): void {
  const before = new Set<string>()
  visitTexts(known, (text) => before.add(text), '')
  const errors: InvalidPlace[] = []
  const check: Visit = (text, { pointer, name }) => {
    if (!namesPicture(name) || !isAddress(text) || before.has(text) || isShared(text)) return
    const paths = [...findImagePaths(text)]
    const isOwnImage = text.startsWith('/app_data/images/') && !text.includes('..')
    if (isOwnImage && paths.length > 0 && paths.every(isOwn)) return
    const message = 'must be a picture of your slides, a shared picture, or data:image/'
    if (errors.length < 10) errors.push({ path: pointer, message })
  }
  visitTexts(content, check, '/content')
  visitTexts(ui, check, '/ui')
  if (errors.length > 0) throw refuse(errors)
}
