/**
 * Sends the frames of an event stream and applies the faults of streams.
 *
 * It pulls one frame at a time: when the client disconnects or a fault ends the stream, the work
 * behind the next frames doesn't run and nothing is stored. Upstream too cancels its generator at
 * the next await.
 */

import { once } from 'node:events'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { streamHeaders } from '../event-stream.ts'
import type { Frame, StreamStep } from '../faults/fault.ts'
import { untilAborted } from '../pace.ts'
import type { Exchange, StandInState } from '../state.ts'

export async function sendStream(
  state: StandInState,
  exchange: Exchange,
  frames: AsyncIterable<Frame>,
): Promise<undefined> {
  const { response, signal, journalEntry } = exchange
  journalEntry.status = 200
  response.writeHead(200, streamHeaders)
  response.flushHeaders()
  const steps = createFrameSteps(state, exchange)
  let isDripping = false

  /** False when the stream is over. */
  const perform = async (step: StreamStep): Promise<boolean> => {
    if (step === 'end') return false
    if (step === 'drip') isDripping = true
    else if (step === 'cut') {
      while (response.writableLength > 0 && !signal.aborted) await nextTurn()
      exchange.destroyConnection()
      return false
    } else if (step === 'stall') {
      await untilAborted(signal)
      return false
    } else if (isDripping) {
      for (const byte of Buffer.from(step.write)) await write(Buffer.from([byte]))
    } else await write(step.write)
    return !signal.aborted
  }

  const write = async (bytes: string | Buffer) => {
    if (bytes.length === 0 || signal.aborted) return
    if (!response.write(bytes)) await once(response, 'drain', { signal }).catch(() => undefined)
    // Writes of one event loop turn share a packet; this gives each its own.
    else await nextTurn()
  }

  try {
    for await (const frame of frames) {
      for (const step of steps.frame(frame)) if (!(await perform(step))) return undefined
    }
    for (const step of steps.end()) if (!(await perform(step))) return undefined
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    if (!response.destroyed) response.end()
  }
  return undefined
}

/** The steps for each frame: write it, unless a fault applies. */
function createFrameSteps(
  state: StandInState,
  { fault, operation }: Exchange,
): { frame: (frame: Frame) => StreamStep[]; end: () => StreamStep[] } {
  const effect = fault?.effect
  if (effect?.kind === 'framing') {
    const { frame, end } = effect.open()
    return { frame: ({ text }) => frame(text), end }
  }
  if (effect?.kind !== 'stream') return { frame: ({ text }) => [{ write: text }], end: () => [] }
  const context = { operation, features: state.features() }
  let seen = 0
  return {
    frame: (frame) => {
      if (frame.kind === effect.frameKind) seen++
      const applies = frame.kind === effect.frameKind && seen === (fault?.at ?? effect.nth)
      return applies ? effect.apply(frame, context) : [{ write: frame.text }]
    },
    end: () => [],
  }
}
