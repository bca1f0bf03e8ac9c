// Whether a body may replace members of a slide: its size, its texts, and the addresses of its
// images. An export opens each of those in upstream's own browser.

import type { InvalidPlace } from '../../contract/problem.ts'
import { maxMemberBytes, type SlideChange } from '../../contract/slide-changes.ts'
import { Problem } from '../../domain/problem.ts'
import { findRefused, type ImageRule, visitImages } from './image-addresses.ts'

/** Calls `visit` for each text, its keys included. */
function visitTexts(
  value: unknown,
  visit: (text: string, pointer: string) => void,
  pointer: string,
): void {
  if (typeof value === 'string') visit(value, pointer)
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) {
    const inside = `${pointer}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`
    if (!Array.isArray(value)) visit(key, inside)
    visitTexts(inner, visit, inside)
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
    errors.push(...findUnstorable(member, `/${name}`).slice(0, 10 - errors.length))
  }
  if (errors.length > 0) throw refuse(errors)
}

/** Texts that upstream's database does not take, at most ten. */
export function findUnstorable(value: unknown, pointer: string): InvalidPlace[] {
  const errors: InvalidPlace[] = []
  visitTexts(
    value,
    (text, path) => {
      if (!isStorable(text) && errors.length < 10)
        errors.push({ path, message: 'must not contain NULs or lone surrogates' })
    },
    pointer,
  )
  return errors
}

/**
 * Finds addresses that the deck has not had.
 *
 * @throws Problem VALIDATION_FAILED
 */
export function checkImages(
  { content, ui }: SlideChange,
  { known, ...rule }: Pick<ImageRule, 'isOwn' | 'hosts'> & { known: unknown },
): void {
  const before = new Set<string>()
  visitTexts(known, (text) => before.add(text), '')
  visitImages(known, ({ text }) => before.add(text))
  const errors = findRefused({ content, ui }, { ...rule, known: (text) => before.has(text) })
  if (errors.length > 0) throw refuse(errors)
}
