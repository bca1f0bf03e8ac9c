/**
 * Gates: a test holds a point, the stand-in stops there, the test looks around and lets it go on.
 * So no test needs to sleep.
 *
 * Every request passes the gate of its operation before it acts, and `<operation>:reply` after it
 * has acted and before it answers. Streams, exports and files have further points inside.
 */

import type { Operation, Replied } from './operation.ts'

export type GatePoint =
  | Operation
  | `${Replied}:reply`
  | 'outlines:chunk' // before each piece of model text
  | 'outlines:complete' // all is said, nothing is stored yet
  | 'outlines:saved' // stored, `complete` not sent yet
  | 'slides:slide' // before each slide
  | 'slides:complete' // all slides are sent, nothing is stored yet
  | 'slides:saved' // stored, `complete` not sent yet
  | 'export:work' // after the checks; goes on also when the caller has hung up
  | 'export:write' // before each part of the file
  | 'file:part' // after the first part of a file's body

export type GateControl = ReturnType<typeof createGates>

type Gate = {
  held: boolean
  passes: number
  arrivals: number
  inside: (() => void)[]
  watchers: { count: number; tell: () => void }[]
}

export function createGates() {
  const gates = new Map<GatePoint, Gate>()

  const at = (point: GatePoint): Gate => {
    const known = gates.get(point)
    if (known) return known
    const gate: Gate = { held: false, passes: 0, arrivals: 0, inside: [], watchers: [] }
    gates.set(point, gate)
    return gate
  }

  const open = (gate: Gate, count: number) => {
    for (const letGo of gate.inside.splice(0, count)) letGo()
  }

  return {
    /** From now on everybody stops at the point. Arrivals are counted from here. */
    hold(point: GatePoint): void {
      const gate = at(point)
      if (gate.held) return
      Object.assign(gate, { held: true, passes: 0, arrivals: 0 })
    },

    /** Resolves once `count` requests in all have come to the held point. */
    arrived(point: GatePoint, count = 1): Promise<void> {
      const gate = at(point)
      if (gate.arrivals >= count) return Promise.resolve()
      return new Promise((tell) => gate.watchers.push({ count, tell }))
    },

    /**
     * Lets `count` go on, counting those that come later; without a count the point is open again
     * for all.
     */
    release(point: GatePoint, count?: number): void {
      const gate = at(point)
      if (count === undefined) {
        gate.held = false
        open(gate, gate.inside.length)
        return
      }
      const waiting = Math.min(count, gate.inside.length)
      open(gate, waiting)
      gate.passes += count - waiting
    },

    /** How many stand at the point now. */
    waiting: (point: GatePoint): number => at(point).inside.length,

    /** Opens every point. */
    releaseAll(): void {
      for (const gate of gates.values()) {
        gate.held = false
        open(gate, gate.inside.length)
      }
    },

    /**
     * The stand-in's side: waits while the point is held; rejects when the signal aborts meanwhile.
     */
    async pass(point: GatePoint, signal?: AbortSignal): Promise<void> {
      signal?.throwIfAborted()
      const gate = at(point)
      gate.arrivals++
      for (const watcher of gate.watchers.filter(({ count }) => count <= gate.arrivals)) {
        gate.watchers.splice(gate.watchers.indexOf(watcher), 1)
        watcher.tell()
      }
      if (!gate.held) return
      if (gate.passes > 0) {
        gate.passes--
        return
      }
      await new Promise<void>((resolve, reject) => {
        const letGo = () => {
          signal?.removeEventListener('abort', leave)
          resolve()
        }
        const leave = () => {
          gate.inside.splice(gate.inside.indexOf(letGo), 1)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', leave, { once: true })
        gate.inside.push(letGo)
      })
    },
  }
}
