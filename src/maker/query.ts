// Parameters that reach neither upstream nor the interface, which reads its address itself.

/** A link with them would send the interface's calls elsewhere, or plant a session. */
const removedParameters = new Set(['fastapiurl', 'exportsession'])

/** The query without them; undefined if it has none. */
export function cleanQuery(url: string): string | undefined {
  const parameters = new URLSearchParams(/\?([^#]*)/.exec(url)?.[1] ?? '')
  return removeParameters(parameters) ? parameters.toString() : undefined
}

/** Whether there were any. */
export function removeParameters(parameters: URLSearchParams): boolean {
  const removed = [...parameters.keys()].filter((name) => removedParameters.has(name.toLowerCase()))
  for (const name of removed) parameters.delete(name)
  return removed.length > 0
}
