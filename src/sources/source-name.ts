// The name of a source, made from the file name that a client sent: any text, maybe with a path.

import { maxSourceNameChars } from '../contract/source.ts'

/** Of a file without a usable name. */
const namelessFile = 'file'

/** Control characters, controls of the writing direction, and half surrogate pairs. */
const unwanted = /[\p{Cc}\p{Bidi_Control}\p{Cs}]/gu

/** The base name, at most 200 code points long. A long name keeps its extension. */
export function sourceName(fileName: string): string {
  const base = fileName.split(/[/\\]/).at(-1) ?? ''
  const clean = base.replace(unwanted, '').trim()
  const name = /^\.{0,2}$/.test(clean) ? namelessFile : clean
  const chars = [...name]
  if (chars.length <= maxSourceNameChars) return name
  const extension = /\.[^.\s]{1,10}$/u.exec(name)?.[0] ?? ''
  const kept = maxSourceNameChars - [...extension].length
  return `${chars.slice(0, kept).join('').trimEnd()}${extension}`
}

/** In lower case, without its dot; empty where there is none. */
export function extensionOf(name: string): string {
  return /[^.]\.([^.]*)$/.exec(name)?.[1]?.toLowerCase() ?? ''
}
