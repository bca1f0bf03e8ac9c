// Reads a `multipart/form-data` body part by part, never ahead of who consumes it. Dicer finds the
// boundaries. Its own streams are not used, because one chunk of the request may hold many parts.

import type { IncomingMessage } from 'node:http'
import { Dicer } from '@fastify/busboy'
import { Problem } from '../../domain/problem.ts'
import { parseDisposition } from './disposition.ts'
import { createSpeedCheck } from './speed-check.ts'

export interface MultipartOptions {
  /** Of the whole body. */
  maxBytes: number
  /** For the whole body, from the first read on. */
  timeoutMs: number
}

export interface Part {
  /** Empty without a name. */
  name: string
  /** Undefined unless the part is a file. */
  fileName: string | undefined
  /** Must be read to its end before the next part is requested. */
  body: AsyncIterable<Buffer>
}

/** Header lines of one part; browsers send about 200 bytes. */
const maxPartHeaderBytes = 16 * 1024

interface OpenPart {
  header: ReturnType<typeof parseDisposition> | undefined
  chunks: Buffer[]
  isComplete: boolean
}

/**
 * The parts in their order. After an error the rest of the body is unread: the connection discards
 * it once the response is sent.
 *
 * @throws Problem PAYLOAD_TOO_LARGE, REQUEST_TIMEOUT for a slow body, VALIDATION_FAILED for a
 * malformed one or one that broke off
 */
export async function* readParts(
  request: IncomingMessage,
  { maxBytes, timeoutMs }: MultipartOptions,
): AsyncGenerator<Part> {
  const { 'content-type': contentType = '', 'content-length': length } = request.headers
  if (Number(length ?? 0) > maxBytes) throw tooLarge(maxBytes)
  // The client disconnected during authentication. The stream emits no further event.
  if (request.destroyed) throw new Problem('VALIDATION_FAILED')
  const parts: OpenPart[] = []
  const { feed, end } = createParser(boundaryOf(contentType), parts)
  const speed = createSpeedCheck({ timeoutMs })
  // Leaving the loop must not destroy the request, and with it the response.
  const source: AsyncIterator<Buffer> = request.iterator({ destroyOnReturn: false })
  let received = 0
  let isEnded = false

  /** Reads until there is something new. */
  async function readMore(): Promise<void> {
    const next = await speed.measure(source.next()).catch((cause: unknown) => {
      throw cause instanceof Problem ? cause : new Problem('VALIDATION_FAILED', { cause })
    })
    if (next.done) {
      isEnded = true
      return end()
    }
    received += next.value.length
    speed.add(next.value.length)
    if (received > maxBytes) throw tooLarge(maxBytes)
    await feed(next.value)
  }

  async function* bodyOf(part: OpenPart): AsyncGenerator<Buffer> {
    for (;;) {
      const chunk = part.chunks.shift()
      if (chunk) yield chunk
      else if (part.isComplete) return
      else await readMore()
    }
  }

  try {
    for (;;) {
      const part = parts[0]
      if (part?.header) {
        yield { ...part.header, body: bodyOf(part) }
        for await (const _ of bodyOf(part));
        parts.shift()
      } else if (part?.isComplete) throw malformed('has a part without a complete header')
      else if (isEnded) return
      else await readMore()
    }
  } finally {
    speed.stop()
  }
}

/** `parts` grows as parts begin, each with its own chunks: Dicer's events are not in order. */
function createParser(boundary: string, parts: OpenPart[]) {
  // A paused Dicer never goes on when the part that filled its buffer has ended in the same chunk.
  // So it is not paused: all it can buffer is one chunk of the request.
  const partHwm = 2 ** 30
  const config = { boundary, maxHeaderSize: maxPartHeaderBytes, partHwm }
  const dicer = new Dicer(config as Dicer.Config)
  let failure: Error | undefined
  dicer.on('error', (error) => {
    failure = error
  })
  dicer.on('part', (stream) => {
    const part: OpenPart = { header: undefined, chunks: [], isComplete: false }
    parts.push(part)
    stream.on('header', (header) => {
      const { 'content-disposition': [value = ''] = [] } = header as Record<string, string[]>
      part.header = parseDisposition(value)
    })
    stream.on('data', (chunk: string | Buffer) => part.chunks.push(chunk as Buffer))
    stream.on('end', () => {
      part.isComplete = true
    })
    stream.on('error', (error) => {
      failure = error
    })
  })
  function check() {
    if (failure) throw malformed('is not complete', failure)
  }
  return {
    async feed(chunk: Buffer): Promise<void> {
      await new Promise<void>((resolve) => dicer.write(chunk, () => resolve()))
      await laterTicks()
      check()
    },
    async end(): Promise<void> {
      dicer.end()
      await laterTicks()
      check()
    },
  }
}

/** Errors and ends of parts come in later ticks than the end of the write. */
const laterTicks = () => new Promise(setImmediate)

function tooLarge(maxBytes: number): Problem {
  const message = `must not have more than ${maxBytes} bytes in all`
  return new Problem('PAYLOAD_TOO_LARGE', { errors: [{ path: '', message }] })
}

function malformed(message: string, cause?: unknown): Problem {
  return new Problem('VALIDATION_FAILED', { errors: [{ path: '', message }], cause })
}

function boundaryOf(contentType: string): string {
  const [, quoted, plain] =
    /;\s*boundary=(?:"([^"]{1,200})"|([^\s;"]{1,200}))/i.exec(contentType) ?? []
  return quoted ?? plain ?? raiseWithoutBoundary()
}

function raiseWithoutBoundary(): never {
  throw malformed('must have a boundary in its Content-Type')
}
