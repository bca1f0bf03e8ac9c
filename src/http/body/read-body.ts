// Reads a body from its request: bounded, with room taken for what is more than a little, and its
// shape looked at as it comes. A body that is refused in the middle is read to its end and
// forgotten: an answer before that would be lost to most clients, who write first.

import type { Readable } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import type { Reservation } from './body-budget.ts'
import { createShapeCheck } from './json-shape.ts'
import { smallBodyBytes } from './parse-queue.ts'

export interface ReadBodyOptions {
  /** As the request announces it; undefined when it comes in chunks. */
  announcedBytes: number | undefined
  limitBytes: number
  reserve: (bytes: number) => Reservation
  /** What it is refused with, whatever comes. */
  refusal?: Problem | undefined
}

export interface ReadBody {
  bytes: Buffer
  /** Gives its room back; to be called when it is parsed. */
  release: () => void
}

/**
 * Rejects with PAYLOAD_TOO_LARGE as soon as that is known, with VALIDATION_FAILED when it breaks
 * off or is built too large.
 */
export function readBody(
  payload: Readable,
  { announcedBytes, limitBytes, reserve, ...given }: ReadBodyOptions,
): Promise<ReadBody> {
  return new Promise((resolve, reject) => {
    if ((announcedBytes ?? 0) > limitBytes) return reject(new Problem('PAYLOAD_TOO_LARGE'))
    // Its sender left while we asked who that is: nothing will come any more, not even an error.
    if (payload.destroyed) return reject(new Problem('VALIDATION_FAILED'))
    const look = createShapeCheck()
    let pieces: Buffer[] = []
    let received = 0
    let refusal = given.refusal
    let place: Reservation | undefined

    const release = () => place?.release()

    function forget() {
      pieces = []
      release()
    }
    function end() {
      payload.off('data', take).off('end', finish).off('error', breakOff).off('close', breakOff)
    }
    function fail(problem: Problem) {
      end()
      forget()
      // What still comes must not stop the connection from being closed.
      payload.on('error', () => undefined).resume()
      reject(problem)
    }
    function breakOff(cause?: Error) {
      fail(new Problem('VALIDATION_FAILED', { cause }))
    }
    function finish() {
      end()
      if (refusal) reject(refusal)
      else resolve({ bytes: Buffer.concat(pieces, received), release })
    }
    function wait(bytes: number) {
      payload.pause()
      place = reserve(bytes)
      place.granted.then(() => payload.resume(), fail)
    }
    function take(piece: Buffer) {
      received += piece.length
      if (received > limitBytes) return fail(new Problem('PAYLOAD_TOO_LARGE'))
      if (refusal) return
      const wrong = look(piece)
      if (wrong) {
        refusal = new Problem('VALIDATION_FAILED', { errors: [wrong] })
        return forget()
      }
      pieces.push(piece)
      if (!place && received > smallBodyBytes) wait(limitBytes)
    }

    payload.on('data', take).on('end', finish).on('error', breakOff).on('close', breakOff)
    if (!refusal && (announcedBytes ?? 0) > smallBodyBytes) wait(announcedBytes ?? 0)
    else payload.resume()
  })
}
