// The counterpart of `keepConnected` for event streams: an EventSource that resumes with the last
// id, at any replica, whenever its stream ends, breaks or falls silent.

import { setTimeout as delay } from 'node:timers/promises'
import { openReader, type Reader } from '../../sandbox/reader.ts'
import type { KeepConnectedOptions } from './keep-connected.ts'

export interface KeepStreamingOptions extends Omit<KeepConnectedOptions, 'path' | 'onConnect'> {
  /** Below `/api/v1/realtime`. */
  path: string
  /** Read again for each connection. */
  lastEventId: () => string | undefined
}

const reconnectMs = 100
/** A replica after SIGSTOP sends nothing, not even a heartbeat. */
const silenceMs = 3_000
/** How many messages it reads before it leaves, so that every run resumes many times. */
const messages = { min: 2, max: 8 }

/** Resolves once `isDone`. */
export async function keepStreaming(options: KeepStreamingOptions): Promise<void> {
  const { path, token, urls, random, report, subject, isDone, lastEventId } = options
  for (let isFirst = true; !isDone(); ) {
    await delay(random.between(0, 2 * reconnectMs))
    const replicas = urls()
    if (replicas.length === 0) continue
    const url = `${random.pick(replicas)}/api/v1/realtime${path}`
    // The signal bounds the wait for the head; the loop below sees a stream that falls silent.
    const opening = new AbortController()
    const timer = setTimeout(() => opening.abort(), silenceMs)
    const given = { token, lastEventId: lastEventId(), signal: opening.signal }
    const reader = await openReader(url, given).catch(() => undefined)
    clearTimeout(timer)
    if (!reader) continue
    if (reader.status !== 200) {
      report.violate(subject, `an event stream was refused with ${reader.status}`)
      return
    }
    report.count(isFirst ? 'notification streams' : 'notification stream reconnects')
    isFirst = false
    await receive(reader, options)
  }
}

/** Reads one connection until it ends, falls silent, or this side leaves. */
async function receive(
  reader: Reader,
  { random, onMessage, isDone }: KeepStreamingOptions,
): Promise<void> {
  const leavesAfter = random.between(messages.min, messages.max)
  let bytesBefore = -1
  for (let count = 0; count < leavesAfter && !isDone(); ) {
    const event = await reader.next(silenceMs).catch((error: Error) => error)
    if (event === undefined) return
    if (event instanceof Error) {
      // Heartbeats without events: the connection is still alive.
      if (reader.bytes <= bytesBefore || !event.message.startsWith('no event')) break
      bytesBefore = reader.bytes
      continue
    }
    count += 1
    onMessage(event.data)
  }
  reader.close()
}
