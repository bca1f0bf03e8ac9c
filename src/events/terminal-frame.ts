// The frame of a terminal event. `complete` carries a fresh download link, so it is made when it is
// delivered. All subscribers of a log are its owner's, so those of one second share the frame.

import type { LoggedEvent } from '../database/event-log.ts'
import { eventFrame } from './sse-frames.ts'

const sharedMs = 1_000

/** `readDownload` resolves with the download of the latest run's file, or null if it made none. */
export function createTerminalFrames(
  readDownload: () => Promise<object | null>,
  now: () => number,
): (event: LoggedEvent) => Promise<Buffer> {
  let latest: { seq: number; expiresMs: number; frame: Promise<Buffer> } | undefined

  async function compose(event: LoggedEvent): Promise<Buffer> {
    const members = JSON.parse(event.data) as { type: string }
    if (members.type !== 'complete') return eventFrame(event)
    const data = JSON.stringify({ ...members, download: await readDownload() })
    return eventFrame({ seq: event.seq, data })
  }

  return (event) => {
    if (latest?.seq === event.seq && now() < latest.expiresMs) return latest.frame
    const frame = compose(event)
    const composed = { seq: event.seq, expiresMs: now() + sharedMs, frame }
    frame.catch(() => {
      if (latest === composed) latest = undefined
    })
    latest = composed
    return frame
  }
}
