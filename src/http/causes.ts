// Search along the causes of an error.

const maxDepth = 5

/** Whether the error or one of its causes matches. Drizzle and others wrap what a driver threw. */
export function isCausedBy(
  error: unknown,
  matches: (error: unknown) => boolean,
  depth = 0,
): boolean {
  if (matches(error)) return true
  if (depth === maxDepth || !(error instanceof Error) || error.cause === undefined) return false
  return isCausedBy(error.cause, matches, depth + 1)
}
