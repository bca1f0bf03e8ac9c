// Statements that come again and again are prepared: Postgres parses and plans each once per
// connection, not once per call.
import { createHash } from 'node:crypto'

// A statement's plan is kept by every connection; texts beyond these are run as they come.
const maxStatements = 300

/**
 * For the connections of one pool. Gives the name under which they keep a statement; undefined when
 * it should not be kept. The name follows from the text alone: where connections are shared behind
 * a pooler, one name can never mean two statements.
 */
export function createStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()

  return (text) => {
    const present = names.get(text)
    if (present || names.size >= maxStatements) return present
    const name = `gateway_${createHash('sha256').update(text).digest('hex').slice(0, 32)}`
    names.set(text, name)
    return name
  }
}
