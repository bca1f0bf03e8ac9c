// What a benchmark is, and the table of its results. Absolute times mean little on a shared
// machine, so each figure stands beside that of a peer that does the same work in the same run.
import type { BenchEnvironment } from './environment.ts'

export interface Benchmark {
  name: string
  run: (environment: BenchEnvironment, options: BenchmarkOptions) => Promise<Result[]>
}

export interface BenchmarkOptions {
  /** Takes seconds, and only detects a collapse. */
  isQuick: boolean
  /** Runs the load scenario at its full length. */
  isLoad: boolean
}

/** A row of the table. */
export interface Result {
  measure: string
  gateway: string
  /** The peer's name and its figure. */
  peer: string
  /** The gateway's figure divided by the peer's. */
  ratio: number | null
  target: string
  isMet: boolean
  /**
   * The figure divided by its limit, or the inverse where more is better. 1 or less meets the
   * target.
   */
  off: number
}

interface Figure {
  /** Label of the row. */
  measure: string
  /** The gateway's figure. */
  own: number
  peer?: number | undefined
  peerName?: string
  format: (value: number) => string
  /** The target in words. */
  target: string
  /** Upper limit of the figure, in its unit. */
  atMost?: number
  /** Lower limit of the figure, in its unit. */
  atLeast?: number
}

/** Compares a figure with its peer's and with its target. Without a limit the target is met. */
export function createResult({
  measure,
  own,
  peer,
  peerName = '',
  format,
  target,
  atMost,
  atLeast,
}: Figure): Result {
  const off = atMost !== undefined ? own / atMost : atLeast !== undefined ? atLeast / own : 0
  return {
    measure,
    gateway: format(own),
    peer: peer === undefined ? '–' : `${peerName} ${format(peer)}`.trim(),
    ratio: peer === undefined ? null : own / peer,
    target,
    isMet: off <= 1,
    off,
  }
}

/** The value that the given share (0..1) of the values does not exceed; NaN without values. */
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
export const count = (value: number): string => String(value)

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
