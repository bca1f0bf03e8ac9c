/**
 * Gates let a test stop the stand-in at a named point, check what it sees there, and continue. So
 * no test has to sleep.
 *
 * Every request passes the gate of its operation before it acts, and `<operation>:reply` between
 * its work and its response. Streams, exports and files have more points inside.
 */

import type { Operation, Replied } from './operation.ts'

export type GatePoint =
  | Operation
  | `${Replied}:reply`
  | 'outlines:chunk' // before each piece of model text
  | 'outlines:complete' // all chunks are sent, nothing is stored yet
  | 'outlines:saved' // stored, `complete` is not sent yet
  | 'slides:slide' // before each slide
  | 'slides:complete' // all slides are sent, nothing is stored yet
  | 'slides:saved' // stored, `complete` is not sent yet
  | 'slide-edit:work' // after the checks; the work goes on when the client disconnects
  | 'chat:work' // as above; a streamed turn stops
  | 'chat:tool' // of a streamed turn, after each tool
  | 'export:work' // after the checks; the work goes on when the client disconnects
  | 'export:write' // before each part of the file
  | 'file:part' // after each part of a file's body but the last

export type GateControl = ReturnType<typeof createGates>

type Gate = {
  isHeld: boolean
  /** How many later requests may pass while the gate is held. */
  allowed: number
  arrivals: number
  /** Resumes the requests that are waiting, in order. */
  resumes: (() => void)[]
  watchers: { count: number; notify: () => void }[]
}

export function createGates() {
  const gates = new Map<GatePoint, Gate>()

  const gateAt = (point: GatePoint): Gate => {
    const known = gates.get(point)
    if (known) return known
    const gate: Gate = { isHeld: false, allowed: 0, arrivals: 0, resumes: [], watchers: [] }
    gates.set(point, gate)
    return gate
  }

  const resume = (gate: Gate, count: number) => {
    for (const resumeOne of gate.resumes.splice(0, count)) resumeOne()
  }

  const open = (gate: Gate) => {
    gate.isHeld = false
    resume(gate, gate.resumes.length)
  }

  return {
    /** Stops every request at the point. The count of arrivals starts again at 0. */
    hold(point: GatePoint): void {
      const gate = gateAt(point)
      if (gate.isHeld) return
      Object.assign(gate, { isHeld: true, allowed: 0, arrivals: 0 })
    },

    /** Resolves when `count` requests in all have arrived at the held point. */
    arrived(point: GatePoint, count = 1): Promise<void> {
      const gate = gateAt(point)
      if (gate.arrivals >= count) return Promise.resolve()
      return new Promise((notify) => gate.watchers.push({ count, notify }))
    },

    /** Lets `count` requests pass, including later ones. Without a count it opens the gate. */
    release(point: GatePoint, count?: number): void {
      const gate = gateAt(point)
      if (count === undefined) {
        open(gate)
        return
      }
      const waiting = Math.min(count, gate.resumes.length)
      resume(gate, waiting)
      gate.allowed += count - waiting
    },

    /** How many requests are waiting at the point. */
    waiting: (point: GatePoint): number => gateAt(point).resumes.length,

    releaseAll(): void {
      for (const gate of gates.values()) open(gate)
    },

    /** For the stand-in: waits while the point is held; rejects when the signal aborts. */
    async pass(point: GatePoint, signal?: AbortSignal): Promise<void> {
      signal?.throwIfAborted()
      const gate = gateAt(point)
      gate.arrivals++
      for (const watcher of gate.watchers.filter(({ count }) => count <= gate.arrivals)) {
        gate.watchers.splice(gate.watchers.indexOf(watcher), 1)
        watcher.notify()
      }
      if (!gate.isHeld) return
      if (gate.allowed > 0) {
        gate.allowed--
        return
      }
      await new Promise<void>((resolve, reject) => {
        const resumeOne = () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        }
        const onAbort = () => {
          gate.resumes.splice(gate.resumes.indexOf(resumeOne), 1)
          reject(signal?.reason)
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        gate.resumes.push(resumeOne)
      })
    },
  }
}
