// Asks ClamAV's daemon whether a file is infected, over TCP with its command INSTREAM: chunks with
// their length in front, then an empty one. https://docs.clamav.net/manual/Usage/Scanning.html

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { anySignal, raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'

export interface ScannerOptions {
  host: string
  port: number
  timeouts?: Partial<typeof defaultTimeouts>
}

/** `open` returns the chunks of the file. It is called again if the connection breaks. */
export type Scan = (open: () => AsyncIterable<Buffer>, signal: AbortSignal) => Promise<void>

// Well below the 90 s after which a silent connection is closed, so that its upload gets an answer.
const defaultTimeouts = { connectMs: 5_000, totalMs: 75_000 }
const maxResponseBytes = 4_096

/**
 * Resolves for a clean file.
 *
 * @throws Problem SOURCE_REJECTED for an infected file, PAYLOAD_TOO_LARGE for one over the
 * scanner's limit, SCANNER_UNAVAILABLE; the signal's reason; errors of the chunks
 */
export function createScan({ host, port, ...options }: ScannerOptions): Scan {
  const timeouts = { ...defaultTimeouts, ...options.timeouts }

  async function scanOnce(chunks: AsyncIterable<Buffer>, signal: AbortSignal): Promise<void> {
    const socket = connect({ host, port })
    socket.setTimeout(timeouts.connectMs, () => {
      if (socket.connecting) socket.destroy(unavailable(new Error('It accepts no connections.')))
    })
    const response = readResponse(socket)
    // Also read when sending fails: the scanner says why it closes, and then closes.
    response.catch(() => undefined)
    try {
      await raceSignal(once(socket, 'connect'), signal)
      const sent = send(socket, chunks, signal)
      sent.catch(() => undefined)
      const first = await raceSignal(Promise.race([sent, response]), signal).catch((error) => {
        if (isOfSocket(error)) return undefined
        throw error
      })
      judge(first ?? (await raceSignal(response, signal)))
    } finally {
      socket.destroy()
    }
  }

  return async (open, signal) => {
    const timeout = AbortSignal.timeout(timeouts.totalMs)
    const either = anySignal(signal, timeout)
    try {
      await scanOnce(open(), either).catch((error: unknown) => {
        if (!isBroken(error)) throw error
        return scanOnce(open(), either)
      })
    } catch (cause) {
      signal.throwIfAborted()
      if (cause instanceof Problem || !(isOfSocket(cause) || cause === timeout.reason)) throw cause
      throw unavailable(cause)
    }
  }
}

const unavailable = (cause: unknown) => new Problem('SCANNER_UNAVAILABLE', { cause })

/** Errors of the connection have a code, as those of `readResponse` are Problems. */
function isOfSocket(error: unknown): boolean {
  return error instanceof Error && !(error instanceof Problem) && 'code' in error
}

/**
 * The scanner closes the connection when it refuses a long file. Now and then Node then fails to
 * write before it has read why.
 */
function isBroken(error: unknown): boolean {
  return isOfSocket(error) && ['EPIPE', 'ECONNRESET'].includes((error as { code: string }).code)
}

async function send(socket: Socket, chunks: AsyncIterable<Buffer>, signal: AbortSignal) {
  socket.write('zINSTREAM\0')
  for await (const chunk of chunks) {
    const length = Buffer.alloc(4)
    length.writeUInt32BE(chunk.length)
    socket.write(length)
    if (!socket.write(chunk)) await once(socket, 'drain', { signal })
  }
  socket.write(Buffer.alloc(4))
  return undefined
}

function readResponse(socket: Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => {
      text += chunk
      if (text.includes('\0')) resolve(text.slice(0, text.indexOf('\0')))
      else if (text.length > maxResponseBytes) reject(unavailable(new Error('too long')))
    })
    socket.on('error', reject)
    socket.on('close', () => reject(unavailable(new Error('The scanner closed the connection.'))))
  })
}

function judge(response: string): void {
  if (/^stream: OK$/.test(response)) return
  if (/ FOUND$/.test(response)) {
    throw new Problem('SOURCE_REJECTED', {
      cause: new Error(response),
      errors: [{ path: '', message: 'is infected' }],
    })
  }
  if (/size limit exceeded/i.test(response)) {
    throw new Problem('PAYLOAD_TOO_LARGE', {
      errors: [{ path: '', message: 'is too large for the virus scanner' }],
    })
  }
  throw unavailable(new Error(response))
}
