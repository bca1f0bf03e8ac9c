// Finds misspelt names of variables in the environment, which would otherwise be ignored silently.
// The environment also holds names of others, so a name must be close to one of ours.

/** Longer names, or names with other characters, are not ours, and are not repeated in messages. */
const plausible = /^[\w.-]{3,64}$/
const unit = /_(?:MS|S|SECS?|SECONDS?|MINS?|MINUTES?|HOURS?|DAYS?)$/

/** One warning for each name that looks like one of `known`. Values are never read. */
export function warnOfMisspeltNames(
  env: Record<string, string | undefined>,
  known: readonly string[],
): string[] {
  const isSet = (name: string) => Boolean(env[name])
  return Object.keys(env).flatMap((name) => {
    if (known.includes(name) || !plausible.test(name) || !isSet(name)) return []
    const likely = findSimilarName(name, known, isSet)
    return likely ? [`${name} is not a variable of the gateway: ${likely} may be meant`] : []
  })
}

function findSimilarName(
  name: string,
  known: readonly string[],
  isSet: (name: string) => boolean,
): string | undefined {
  const upper = name
    .toUpperCase()
    .replace(/[.-]/g, '_')
    .replace(/IES(?=_|$)/g, 'Y')
  const distances = known.map((one) => ({ one, distance: editDistance(upper, one) }))
  const [nearest] = distances.sort((a, b) => a.distance - b.distance)
  const maxDistance = upper.length < 8 ? 1 : 2
  if (nearest && nearest.distance <= maxDistance) return nearest.one
  return known.find((one) => !isSet(one) && haveSameWords(upper, one))
}

/** The same words but for a unit, or but for one word that only one of the names has. */
function haveSameWords(name: string, known: string): boolean {
  if (name.replace(unit, '') === known.replace(unit, '')) return true
  const [shorter = [], longer = []] = [name, known]
    .map((one) => one.split('_'))
    .sort((a, b) => a.length - b.length)
  return (
    shorter.length >= 2 &&
    longer.length === shorter.length + 1 &&
    shorter.every((word) => longer.includes(word))
  )
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let [beforeLast, last]: [number[], number[]] = [
    [],
    Array.from({ length: b.length + 1 }, (_, j) => j),
  ]
  for (let i = 1; i <= a.length; i++) {
    const row = [i]
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1
      const isSwap = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]
      row[j] = Math.min(
        (row[j - 1] ?? 0) + 1,
        (last[j] ?? 0) + 1,
        (last[j - 1] ?? 0) + cost,
        isSwap ? (beforeLast[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY,
      )
    }
    ;[beforeLast, last] = [last, row]
  }
  return last[b.length] ?? 0
}
