// Frames as a byte stream, which takes them as fast as its client reads. Their bytes are shared
// with the streams of other subscribers.

import { Readable } from 'node:stream'

export interface FrameStreamOptions {
  firstFrames: Buffer[]
  /** The client takes bytes. */
  onWritable: () => void
  onClose: () => void
  /** A clock that is never set, in ms. */
  now: () => number
}

// Large frames are written in pieces, so that progress of a slow client is visible.
const pieceBytes = 16 * 1024
const bufferedBytes = 64 * 1024

export function createFrameStream({ firstFrames, onWritable, onClose, now }: FrameStreamOptions) {
  const queue = [...firstFrames]
  let queuedBytes = 0
  let isWritable = false
  let isEnding = false
  let isClosed = false
  let lastProgressMs = now()

  const stream = new Readable({
    highWaterMark: bufferedBytes,
    read() {
      isWritable = true
      lastProgressMs = now()
      flush()
      onWritable()
    },
    destroy(error, callback) {
      isEnding = true
      isClosed = true
      onClose()
      callback(error)
    },
  })

  function flush() {
    while (isWritable && !isClosed && queue.length > 0) isWritable = stream.push(nextPiece())
    queuedBytes = 0
    if (!isEnding || isClosed || queue.length > 0) return
    isClosed = true
    stream.push(null)
  }

  /** A part of one large frame, or several small frames. */
  function nextPiece(): Buffer {
    lastProgressMs = now()
    const first = queue[0] ?? Buffer.alloc(0)
    if (first.length > pieceBytes) {
      queue[0] = first.subarray(pieceBytes)
      return first.subarray(0, pieceBytes)
    }
    let count = 0
    let bytes = first.length
    while (bytes <= pieceBytes && count < queue.length) {
      count += 1
      bytes += queue[count]?.length ?? 0
    }
    const frames = queue.splice(0, count)
    return frames.length === 1 ? first : Buffer.concat(frames)
  }

  return {
    stream,
    flush,
    isWritable: () => isWritable,
    /** Takes no more frames. */
    isEnding: () => isEnding,
    isClosed: () => isClosed,
    /** Since the client last took bytes. */
    idleMs: () => now() - lastProgressMs,

    /** Queues a frame; it is written at the next flush, or when there are enough for a piece. */
    push(frame: Buffer) {
      queue.push(frame)
      queuedBytes += frame.length
      if (queuedBytes >= pieceBytes) flush()
    },

    /** Ends the stream after the queued frames and `last`. */
    end(...last: Buffer[]) {
      if (isEnding) return
      isEnding = true
      queue.push(...last)
      flush()
    },
  }
}
