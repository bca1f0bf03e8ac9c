// What happened in a run of the chaos, in order: for the numbers at its end, and for people when
// something went wrong.

export type Report = ReturnType<typeof createReport>

export function createReport() {
  const startedMs = performance.now()
  const lines: string[] = []
  const counts: Record<string, number> = {}
  const violations: string[] = []
  const stamp = () => `${((performance.now() - startedMs) / 1000).toFixed(2).padStart(8)} s  `
  return {
    lines,
    counts,
    violations,
    count(what: string, by = 1): void {
      counts[what] = (counts[what] ?? 0) + by
    },
    note(what: string): void {
      lines.push(stamp() + what)
    },
    /** A promise was broken. */
    violate(where: string, what: string): void {
      violations.push(`${where}: ${what}`)
      lines.push(`${stamp()}VIOLATION ${where}: ${what}`)
    },
  }
}
