/**
 * Faults under a test's control: played by name, once, several times or always; the first that fits
 * an exchange strikes it.
 */

import { isReplied, type Operation, operations, type Replied } from '../operation.ts'
import { answers } from './answers.ts'
import type { Fault } from './fault.ts'
import { fileFaults } from './files.ts'
import { exportFaults, prepareFaults, replies } from './replies.ts'
import { outlineFaults, streamFaults } from './streams.ts'

export type FaultName =
  | `${Operation}:${keyof typeof answers}`
  | `${Replied}:${keyof typeof replies}`
  | `${'outlines' | 'slides'}:${keyof typeof streamFaults}`
  | `outlines:${keyof typeof outlineFaults}`
  | `prepare:${keyof typeof prepareFaults}`
  | `export:${keyof typeof exportFaults}`
  | `file:${keyof typeof fileFaults}`

const special: Partial<Record<Operation, Record<string, Fault>>> = {
  outlines: { ...streamFaults, ...outlineFaults },
  slides: streamFaults,
  prepare: prepareFaults,
  export: exportFaults,
  file: fileFaults,
}

const table = new Map<FaultName, { operation: Operation; effect: Fault }>()
for (const operation of operations) {
  for (const [name, effect] of Object.entries<Fault>({
    ...answers,
    ...(isReplied(operation) ? replies : {}),
    ...special[operation],
  })) {
    table.set(`${operation}:${name}` as FaultName, { operation, effect })
  }
}

export const faultNames: readonly FaultName[] = [...table.keys()]

export type FaultOptions = {
  /** How often it strikes; Infinity for always. Once when absent. */
  times?: number
  /** In a stream: which chunk or slide it strikes, from 1. */
  at?: number
  /** So many exchanges pass unharmed first. */
  skip?: number
  /** Only exchanges about this deck. */
  deckId?: string
}

type Play = {
  name: FaultName
  operation: Operation
  effect: Fault
  left: number
  skip: number
  at?: number
  deckId?: string
}

export type FaultControl = ReturnType<typeof createFaults>

export function createFaults(listener: { down(): Promise<void>; up(): Promise<void> }) {
  let plays: Play[] = []
  const struck: FaultName[] = []

  return {
    /** Throws on a name that is not in the table. */
    inject(name: FaultName, { times = 1, skip = 0, ...where }: FaultOptions = {}): void {
      const known = table.get(name)
      if (!known) throw new Error(`No such fault: ${name}`)
      plays.push({ name, ...known, left: times, skip, ...where })
    },

    /** Takes back what has not struck yet: one name, or all. */
    clear(name?: FaultName): void {
      plays = name ? plays.filter((play) => play.name !== name) : []
    },

    /** What has struck so far, in order. */
    injected: struck as readonly FaultName[],

    /** The listener closes and every connection breaks: callers are refused until up(). */
    down: listener.down,

    /** Listens again, on the same port. */
    up: listener.up,

    /** The stand-in's side: the fault for this exchange, used up by it. */
    take(
      operation: Operation,
      deckId: string | undefined,
    ): { effect: Fault; at: number | undefined } | undefined {
      const fits = (play: Play) =>
        play.operation === operation && (play.deckId === undefined || play.deckId === deckId)
      for (const play of plays.filter(fits)) {
        if (play.skip > 0) {
          play.skip--
          continue
        }
        play.left--
        if (play.left <= 0) plays = plays.filter((other) => other !== play)
        struck.push(play.name)
        return { effect: play.effect, at: play.at }
      }
      return undefined
    },
  }
}
