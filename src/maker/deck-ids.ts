// Upstream takes an id in many spellings: capitals, no dashes, `urn:uuid:`, braces. Here each has
// one, in which it is compared and sent on.

/** The canonical id; undefined for a text that is not an id. */
export function parseDeckId(text: string): string | undefined {
  const bare = /^(?:urn:uuid:)?\{?([\da-f-]{32,36})\}?$/i.exec(text)?.[1] ?? ''
  const hex = bare.replaceAll('-', '').toLowerCase()
  const isSpelt = /^(?:[\da-f]{32}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12})$/i.test(bare)
  return isSpelt ? hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') : undefined
}
