// What a measure is, and the table it ends in. A figure is judged against a target; beside it stands the same work done by a peer in
// the same run on the same machine, because absolute times mean little on a machine that others use as well.

export interface Result {
  measure: string
  gateway: string
  /** What the gateway is held against, with its figure. */
  peer: string
  /** Gateway over peer. */
  ratio: number | null
  target: string
  isMet: boolean
}

/** The given share (0..1) of the values is at most this; NaN without values. */
export function percentile(values: number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`
}

export function printTable(results: Result[]): void {
  const rows = [
    ['measure', 'gateway', 'peer', 'ratio', 'target', ''],
    ...results.map(({ measure, gateway, peer, ratio, target, isMet }) => [
      measure,
      gateway,
      peer,
      ratio === null ? '–' : ratio.toFixed(2),
      target,
      isMet ? 'met' : 'not met',
    ]),
  ]
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}
