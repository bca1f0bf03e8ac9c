// Names for prepared statements: Postgres parses and plans a named statement once per connection,
// not once per call.
import { createHash } from 'node:crypto'

// Every connection keeps the plan of each named statement in memory.
const maxStatements = 300

/**
 * Returns a function that names the statements of one pool; undefined beyond the first 300 texts,
 * which are then not prepared. The name is a hash of the text: even behind a connection pooler one
 * name never means two statements.
 */
export function createStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()

  return (text) => {
    const known = names.get(text)
    if (known || names.size >= maxStatements) return known
    const name = `gateway_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    names.set(text, name)
    return name
  }
}
