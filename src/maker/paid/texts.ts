// Texts of the interface, as the gateway may store them.

import { maxTitleChars } from '../../contract/brief.ts'
import { hasText } from '../../presentations/read-brief.ts'

/** Without control characters and lone surrogates, which the API refuses in the same places. */
export function storableText(text: string): string {
  return text.toWellFormed().replace(/\p{Cc}/gu, (char) => ('\t\n\r'.includes(char) ? char : ''))
}

/** A technical title of ours, which the interface shows and saves back. See deck-title.ts. */
export const isOwnTitle = (title: string): boolean =>
  /^deck-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?:-\d+){3}$/i.test(title.trim())

/** The title that the interface saves; undefined for none, and for a technical one. */
export function readTitle(title: unknown): string | undefined {
  if (typeof title !== 'string' || !hasText(title) || isOwnTitle(title)) return undefined
  const text = storableText(title).replace(/\s+/g, ' ').trim()
  return [...text].slice(0, maxTitleChars).join('')
}
