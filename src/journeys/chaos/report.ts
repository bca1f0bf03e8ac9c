// The report of a chaos test: what happened, in order, with counts and violations.

export type Report = ReturnType<typeof createReport>

export function createReport() {
  const startedMs = performance.now()
  const lines: string[] = []
  const counts: Record<string, number> = {}
  const violations: string[] = []
  const timestamp = () => `${((performance.now() - startedMs) / 1000).toFixed(2).padStart(8)} s  `
  return {
    lines,
    counts,
    violations,
    count(event: string, by = 1): void {
      counts[event] = (counts[event] ?? 0) + by
    },
    note(text: string): void {
      lines.push(timestamp() + text)
    },
    /** Records a broken promise of the gateway. `subject` is an id or a part of the system. */
    violate(subject: string, text: string): void {
      violations.push(`${subject}: ${text}`)
      lines.push(`${timestamp()}VIOLATION ${subject}: ${text}`)
    },
  }
}
