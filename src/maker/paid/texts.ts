// Texts of the interface, as the gateway may store them.

/** Without control characters and lone surrogates, which the API refuses in the same places. */
export function storableText(text: string): string {
  return text.toWellFormed().replace(/\p{Cc}/gu, (char) => ('\t\n\r'.includes(char) ? char : ''))
}

/** A technical title of ours, which the interface shows and saves back. See deck-title.ts. */
export const isOwnTitle = (title: string): boolean =>
  /^deck-[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}(?:-\d+){3}$/i.test(title.trim())
