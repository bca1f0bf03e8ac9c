// Ids in messages and tool calls, which no route has validated.

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/

/** In lower case, as the database has it; undefined for what cannot be an id. */
export function parseId(text: string): string | undefined {
  const id = text.length === 36 ? text.toLowerCase() : ''
  return uuid.test(id) ? id : undefined
}
