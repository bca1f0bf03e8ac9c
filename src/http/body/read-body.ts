// Reads one request body: bounded in size and time, with a reservation beyond the small size, and
// with a check of every chunk. A body that this check refuses is read to its end and discarded, so
// that the connection can be kept. After other errors, the connection discards the rest.

import type { Readable } from 'node:stream'
import { Problem } from '../../domain/problem.ts'
import type { Reservation } from './body-budget.ts'
import { createJsonCheck } from './json-limits.ts'
import { smallBodyBytes } from './parse-queue.ts'

export interface ReadBodyOptions {
  /** Undefined for a chunked body. */
  contentLength: number | undefined
  maxBytes: number
  timeoutMs: number
  reserve: (bytes: number) => Reservation
}

export interface ReadBody {
  bytes: Buffer
  /** Returns the reserved memory; to be called after parsing. */
  release: () => void
}

/**
 * @throws Problem PAYLOAD_TOO_LARGE as soon as it is known, RATE_LIMIT_EXCEEDED without a
 * reservation, REQUEST_TIMEOUT for a slow one, VALIDATION_FAILED for a broken off, deeply nested or
 * very wide one
 */
export function readBody(
  payload: Readable,
  { contentLength = 0, maxBytes, timeoutMs, reserve }: ReadBodyOptions,
): Promise<ReadBody> {
  return new Promise((resolve, reject) => {
    if (contentLength > maxBytes) return reject(new Problem('PAYLOAD_TOO_LARGE'))
    // The client disconnected during authentication. The stream emits no further event.
    if (payload.destroyed) return reject(new Problem('VALIDATION_FAILED'))
    const checkJson = createJsonCheck()
    let chunks: Buffer[] = []
    let received = 0
    let limitProblem: Problem | undefined
    let reservation: Reservation | undefined
    const timer = setTimeout(() => fail(new Problem('REQUEST_TIMEOUT')), timeoutMs)

    const release = () => reservation?.release()

    function stopReading() {
      clearTimeout(timer)
      payload.off('data', onData).off('end', onEnd).off('error', onAbort).off('close', onAbort)
      payload.on('error', () => undefined)
    }
    function discard() {
      chunks = []
      release()
    }
    function fail(problem: Problem) {
      stopReading()
      discard()
      reject(problem)
    }
    function onAbort(cause?: Error) {
      fail(cause instanceof Problem ? cause : new Problem('VALIDATION_FAILED', { cause }))
    }
    function onEnd() {
      stopReading()
      if (limitProblem) reject(limitProblem)
      else resolve({ bytes: Buffer.concat(chunks, received), release })
    }
    function pauseUntilReserved(bytes: number) {
      payload.pause()
      reservation = reserve(bytes)
      reservation.granted.then(() => payload.resume(), fail)
    }
    function onData(chunk: Buffer) {
      received += chunk.length
      if (received > maxBytes) return fail(new Problem('PAYLOAD_TOO_LARGE'))
      if (limitProblem) return
      const error = checkJson(chunk)
      if (error) {
        limitProblem = new Problem('VALIDATION_FAILED', { errors: [error] })
        return discard()
      }
      chunks.push(chunk)
      if (!reservation && received > smallBodyBytes) pauseUntilReserved(maxBytes)
    }

    payload.on('data', onData).on('end', onEnd).on('error', onAbort).on('close', onAbort)
    if (contentLength > smallBodyBytes) pauseUntilReserved(contentLength)
    else payload.resume()
  })
}
