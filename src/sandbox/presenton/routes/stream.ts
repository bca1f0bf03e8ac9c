/**
 * Puts the frames of an event stream on the wire, and the faults of streams with them.
 *
 * Frames are pulled one by one: when the caller goes away, or a fault ends the stream, the work
 * behind them is not done any more and nothing is stored, as upstream cancels its generator at the
 * next await.
 */

import { once } from 'node:events'
import { setImmediate as turn } from 'node:timers/promises'
import { streamHeaders } from '../event-stream.ts'
import type { Frame, Step } from '../faults/fault.ts'
import { untilAborted } from '../pace.ts'
import type { Exchange, World } from '../world.ts'

export async function playStream(
  world: World,
  exchange: Exchange,
  frames: AsyncIterable<Frame>,
): Promise<undefined> {
  const { response, signal, call } = exchange
  call.status = 200
  response.writeHead(200, streamHeaders)
  response.flushHeaders()
  const script = scriptOf(world, exchange)
  let drip = false

  /** False when the stream is over. */
  const act = async (step: Step): Promise<boolean> => {
    if (step === 'end') return false
    if (step === 'drip') drip = true
    else if (step === 'cut') {
      while (response.writableLength > 0 && !signal.aborted) await turn()
      exchange.breakOff()
      return false
    } else if (step === 'stall') {
      await untilAborted(signal)
      return false
    } else if (drip) {
      for (const byte of Buffer.from(step.write)) await write(Buffer.from([byte]))
    } else await write(step.write)
    return !signal.aborted
  }

  const write = async (bytes: string | Buffer) => {
    if (bytes.length === 0 || signal.aborted) return
    const room = response.write(bytes)
    if (!room) await once(response, 'drain', { signal }).catch(() => undefined)
    else await turn() // one write, one packet: what is written in one turn leaves as one
  }

  try {
    for await (const frame of frames) {
      for (const step of script.frame(frame)) if (!(await act(step))) return undefined
    }
    for (const step of script.end()) if (!(await act(step))) return undefined
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    if (!response.destroyed) response.end()
  }
  return undefined
}

/** What is done for each frame: it is written as it is, unless a fault strikes. */
function scriptOf(
  world: World,
  { fault, operation }: Exchange,
): { frame: (frame: Frame) => Step[]; end: () => Step[] } {
  const effect = fault?.effect
  if (effect?.kind === 'framing') {
    const { frame, end } = effect.open()
    return { frame: ({ text }) => frame(text), end }
  }
  if (effect?.kind !== 'stream') return { frame: ({ text }) => [{ write: text }], end: () => [] }
  const scene = { operation, features: world.features() }
  let seen = 0
  return {
    frame: (frame) => {
      if (frame.kind === effect.on) seen++
      const struck = frame.kind === effect.on && seen === (fault?.at ?? effect.nth)
      return struck ? effect.strike(frame, scene) : [{ write: frame.text }]
    },
    end: () => [],
  }
}
