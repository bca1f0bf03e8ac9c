// Server-sent event frames: a logged event, a heartbeat, a reconnection time, a notice.

import { jitterMs } from '../async/backoff.ts'
import type { LoggedEvent } from '../database/event-log.ts'

/** The frame of an event in the log. */
export function eventFrame({ seq, data }: Pick<LoggedEvent, 'seq' | 'data'>): Buffer {
  return Buffer.from(`id: ${seq}\nevent: response\ndata: ${data}\n\n`)
}

/** The frame of a notice that is not in the log, so it moves no cursor. */
export function noticeFrame(value: object): Buffer {
  return Buffer.from(`event: response\ndata: ${JSON.stringify(value)}\n\n`)
}

/** Says when to reconnect; jittered, so that the subscribers of a replica do not return together. */
export function retryFrame(ms: number): Buffer {
  return Buffer.from(`retry: ${jitterMs(ms)}\n\n`)
}

export const heartbeatFrame = Buffer.from(': \n\n')
