// Server-sent event frames: how a logged event, a heartbeat, a reconnection time and our own
// notices look on the wire.
import { jitterMs } from '../async/backoff.ts'

/** The frame of an event that has a number. `data` is one line of JSON. */
export function eventFrame(seq: number, data: string): Buffer {
  return Buffer.from(`id: ${seq}\nevent: response\ndata: ${data}\n\n`)
}

/** The frame of a notice that is not in the log and therefore moves no cursor. */
export function noticeFrame(value: object): Buffer {
  return Buffer.from(`event: response\ndata: ${JSON.stringify(value)}\n\n`)
}

/**
 * Tells the browser when to come back; jittered, so that the readers of a replica that went don't
 * come all at once.
 */
export function retryFrame(ms: number): Buffer {
  return Buffer.from(`retry: ${jitterMs(ms)}\n\n`)
}

export const heartbeatFrame = Buffer.from(': \n\n')
