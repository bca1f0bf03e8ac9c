// Beats: events that carry the moment at which they were written, by the one clock that all
// processes of a machine share, so that whoever reads one knows how long it was under way. The mark
// stands in plain ASCII that no JSON escapes.

const mark = '@@'
// Monotonic and, on Linux, the same in every process.
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** `@@123456789.123@@`, always as long. */
export function markOf(atMs: number): string {
  return `${mark}${atMs.toFixed(3).padStart(16, '0')}${mark}`
}

const markBytes = markOf(0).length

export interface BeatCount {
  beats: number
  bytes: number
  lastAtMs: number
}

/**
 * Finds marks in the pieces of a stream, also where one was cut in two, and tells how long each was
 * under way.
 */
export function createBeatReader(onBeat?: (delayMs: number) => void) {
  const count: BeatCount = { beats: 0, bytes: 0, lastAtMs: 0 }
  let rest: Buffer | undefined

  function read(piece: Buffer): void {
    const now = nowMs()
    count.bytes += piece.length
    const bytes = rest === undefined ? piece : Buffer.concat([rest, piece])
    rest = undefined
    let at = bytes.indexOf(mark)
    while (at !== -1 && at + markBytes <= bytes.length) {
      count.beats += 1
      count.lastAtMs = now
      if (onBeat) onBeat(now - Number(bytes.toString('latin1', at + 2, at + markBytes - 2)))
      at = bytes.indexOf(mark, at + markBytes)
    }
    if (at !== -1) rest = Buffer.from(bytes.subarray(at))
    // A mark may begin with the last byte.
    else if (bytes.at(-1) === 0x40) rest = Buffer.from('@')
  }
  return { count, read }
}
