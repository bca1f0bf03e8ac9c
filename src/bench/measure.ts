// What a measure is, and the table it ends in. A figure is judged against a target; beside it
// stands the same work done by a peer in the same run on the same machine, because absolute times
// mean little on a machine that others use as well.
import type { Ground } from './ground.ts'

export interface Measure {
  name: string
  run: (ground: Ground, size: Size) => Promise<Result[]>
}

/**
 * `quick`: seconds, to see that nothing has collapsed. `load`: the load scenario at its full
 * length.
 */
export interface Size {
  isQuick: boolean
  isLoad: boolean
}

export interface Result {
  measure: string
  gateway: string
  /** What the gateway is held against, with its figure. */
  peer: string
  /** Gateway over peer. */
  ratio: number | null
  target: string
  isMet: boolean
  /** How many times the target it is off: above 10 something has collapsed. */
  off: number
}

interface Judged {
  measure: string
  own: number
  peer?: number | undefined
  peerName?: string
  unit: (value: number) => string
  /** In words. */
  target: string
  /** What the figure must stay under, in its unit; or what it must reach. */
  atMost?: number
  atLeast?: number
}

/** A figure beside its peer's, and judged. */
export function judge({
  measure,
  own,
  peer,
  peerName = '',
  unit,
  target,
  atMost,
  atLeast,
}: Judged): Result {
  const off = atMost !== undefined ? own / atMost : atLeast !== undefined ? atLeast / own : 0
  return {
    measure,
    gateway: unit(own),
    peer: peer === undefined ? '–' : `${peerName} ${unit(peer)}`.trim(),
    ratio: peer === undefined ? null : own / peer,
    target,
    isMet: off <= 1,
    off,
  }
}

/** The given share (0..1) of the values is at most this; NaN without values. */
export function percentile(values: number[], share: number): number {
  const sorted = Float64Array.from(values).sort()
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export const ms = (value: number): string => `${value.toFixed(Math.abs(value) < 10 ? 2 : 1)} ms`
export const perSecond = (value: number): string => `${Math.round(value).toLocaleString('en')}/s`
export const mib = (bytes: number): string => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
export const kib = (bytes: number): string => `${(bytes / 1024).toFixed(1)} KiB`
export const percent = (share: number): string => `${(share * 100).toFixed(2)} %`
export const times = (value: number): string => `${value.toFixed(2)} ×`
export const plain = (value: number): string => String(value)

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
  const widths =
    rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? []
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
}
