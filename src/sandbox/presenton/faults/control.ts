/**
 * Faults under the control of a test, which injects them by name. The first fault that matches an
 * exchange applies to it.
 */

import { isReplied, type Operation, operations, type Replied } from '../operation.ts'
import { anyOperationFaults } from './any-operation.ts'
import type { Fault } from './fault.ts'
import { fileFaults } from './files.ts'
import { editFaults, exportFaults, openapiFaults, prepareFaults, replyFaults } from './replies.ts'
import { outlineFaults, streamFaults } from './streams.ts'

export type FaultName =
  | `${Operation}:${keyof typeof anyOperationFaults}`
  | `${Replied}:${keyof typeof replyFaults}`
  | `${'outlines' | 'slides' | 'chat-stream'}:${keyof typeof streamFaults}`
  | `outlines:${keyof typeof outlineFaults}`
  | `prepare:${keyof typeof prepareFaults}`
  | `${'slide-edit' | 'chat'}:${keyof typeof editFaults}`
  | `openapi:${keyof typeof openapiFaults}`
  | `export:${keyof typeof exportFaults}`
  | `file:${keyof typeof fileFaults}`

const faultsOf: Partial<Record<Operation, Record<string, Fault>>> = {
  outlines: { ...streamFaults, ...outlineFaults },
  slides: streamFaults,
  'chat-stream': streamFaults,
  prepare: prepareFaults,
  'slide-edit': editFaults,
  chat: editFaults,
  openapi: openapiFaults,
  export: exportFaults,
  file: fileFaults,
}

const faultsByName = new Map<FaultName, { operation: Operation; effect: Fault }>()
for (const operation of operations) {
  for (const [name, effect] of Object.entries<Fault>({
    ...anyOperationFaults,
    ...(isReplied(operation) ? replyFaults : {}),
    ...faultsOf[operation],
  })) {
    faultsByName.set(`${operation}:${name}` as FaultName, { operation, effect })
  }
}

export const faultNames: readonly FaultName[] = [...faultsByName.keys()]

export type FaultOptions = {
  /** To how many exchanges it applies: by default 1; Infinity for all. */
  times?: number
  /** In a stream: to which chunk or slide it applies, from 1. */
  at?: number
  /** How many matching exchanges come first without the fault. */
  skip?: number
  /** Only for exchanges about this deck. */
  deckId?: string
}

type ActiveFault = {
  name: FaultName
  operation: Operation
  effect: Fault
  timesLeft: number
  skipsLeft: number
  at?: number
  deckId?: string
}

export type FaultControl = ReturnType<typeof createFaults>

export function createFaults(listener: { down(): Promise<void>; up(): Promise<void> }) {
  let active: ActiveFault[] = []
  const injected: FaultName[] = []

  return {
    /** Throws for an unknown name. */
    inject(name: FaultName, { times = 1, skip = 0, ...where }: FaultOptions = {}): void {
      const known = faultsByName.get(name)
      if (!known) throw new Error(`No such fault: ${name}`)
      active.push({ name, ...known, timesLeft: times, skipsLeft: skip, ...where })
    },

    /** Removes the faults that are still to be applied: those of one name, or all. */
    clear(name?: FaultName): void {
      active = name ? active.filter((fault) => fault.name !== name) : []
    },

    /** The faults that were applied, in order. */
    injected: injected as readonly FaultName[],

    /** Stops listening and closes every connection: connections are refused until up(). */
    down: listener.down,

    /** Listens again, on the same port. */
    up: listener.up,

    /** For the stand-in: the fault that applies to this exchange. */
    take(
      operation: Operation,
      deckId: string | undefined,
    ): { effect: Fault; at: number | undefined } | undefined {
      const matches = (fault: ActiveFault) =>
        fault.operation === operation && (fault.deckId === undefined || fault.deckId === deckId)
      for (const fault of active.filter(matches)) {
        if (fault.skipsLeft > 0) {
          fault.skipsLeft--
          continue
        }
        fault.timesLeft--
        if (fault.timesLeft <= 0) active = active.filter((other) => other !== fault)
        injected.push(fault.name)
        return { effect: fault.effect, at: fault.at }
      }
      return undefined
    },
  }
}
