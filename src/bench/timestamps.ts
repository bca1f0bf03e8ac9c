// Timestamps inside events, by which a reader knows how long each event took from its write. They
// are plain ASCII that no JSON encoder escapes, so readers need no parser.

const delimiter = '@@'

/** Monotonic and, on Linux, the same clock in every process. */
export const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6

/** Has the form `@@123456789.123@@` and a fixed length. */
export function formatTimestamp(atMs: number): string {
  return `${delimiter}${atMs.toFixed(3).padStart(16, '0')}${delimiter}`
}

const timestampBytes = formatTimestamp(0).length

export interface ReceivedCount {
  events: number
  bytes: number
  /** When the latest event was read, by `nowMs`. */
  lastAtMs: number
}

/** Finds the timestamps in the chunks of a stream, also one that is split between two chunks. */
export function createTimestampReader(onEvent?: (delayMs: number) => void) {
  const count: ReceivedCount = { events: 0, bytes: 0, lastAtMs: 0 }
  let rest: Buffer | undefined

  function read(chunk: Buffer): void {
    const now = nowMs()
    count.bytes += chunk.length
    const bytes = rest === undefined ? chunk : Buffer.concat([rest, chunk])
    rest = undefined
    let at = bytes.indexOf(delimiter)
    while (at !== -1 && at + timestampBytes <= bytes.length) {
      count.events += 1
      count.lastAtMs = now
      if (onEvent) onEvent(now - Number(bytes.toString('latin1', at + 2, at + timestampBytes - 2)))
      at = bytes.indexOf(delimiter, at + timestampBytes)
    }
    if (at !== -1) rest = Buffer.from(bytes.subarray(at))
    // The last byte may be the first half of a delimiter.
    else if (bytes.at(-1) === 0x40) rest = Buffer.from('@')
  }
  return { count, read }
}
