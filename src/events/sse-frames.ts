// Server-sent event frames: a logged event, and a notice.

import type { LoggedEvent } from '../database/event-log.ts'

/** The frame of an event in the log. */
export function eventFrame({ seq, data }: Pick<LoggedEvent, 'seq' | 'data'>): Buffer {
  return Buffer.from(`id: ${seq}\nevent: response\ndata: ${data}\n\n`)
}

/** The frame of a notice that is not in the log, so it moves no cursor. */
export function noticeFrame(value: object): Buffer {
  return Buffer.from(`event: response\ndata: ${JSON.stringify(value)}\n\n`)
}
