import type { IncomingMessage } from 'node:http'
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { readParts } from './multipart.ts'

const boundary = 'x-boundary'

function encode(files: { name: string; content: Buffer }[]): Buffer {
  const parts = files.map(({ name, content }) =>
    Buffer.concat([
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="files"; filename="${name}"\r\n\r\n`,
      ),
      content,
      Buffer.from('\r\n'),
    ]),
  )
  return Buffer.concat([...parts, Buffer.from(`--${boundary}--\r\n`)])
}

/** A request whose body arrives in chunks of this size. */
function requestOf(body: Buffer, chunkBytes: number): IncomingMessage {
  const chunks: Buffer[] = []
  for (let at = 0; at < body.length; at += chunkBytes)
    chunks.push(body.subarray(at, at + chunkBytes))
  const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` }
  return Object.assign(Readable.from(chunks), { headers }) as unknown as IncomingMessage
}

async function readAll(request: IncomingMessage) {
  const files: { name: string | undefined; content: Buffer }[] = []
  for await (const part of readParts(request, { maxBytes: 1e9, timeoutMs: 60_000 })) {
    const chunks: Buffer[] = []
    for await (const chunk of part.body) chunks.push(chunk)
    files.push({ name: part.fileName, content: Buffer.concat(chunks) })
  }
  return files
}

// Content that looks like the beginning of a boundary at many places.
const binary = (bytes: number) =>
  Buffer.from(Array.from({ length: bytes }, (_, at) => '\r\n--x-b\0é'.charCodeAt((at * 7) % 9)))

it.each([7, 100, 16_384, 65_536, 1_000_000])(
  'gives every part of any size whole, in chunks of %i bytes',
  async (chunkBytes) => {
    const sizes =
      chunkBytes < 16_384 ? [0, 1, 20_000] : [0, 1, 16_383, 16_384, 30_000, 70_000, 200_000]
    for (const size of sizes) {
      const files = [
        { name: 'a', content: binary(size) },
        { name: 'b', content: Buffer.alloc(size, 'text ') },
        { name: 'c', content: crypto.getRandomValues(Buffer.alloc(Math.min(size, 65_536))) },
      ]
      const received = await readAll(requestOf(encode(files), chunkBytes))
      expect(received.map(({ name }) => name)).toEqual(['a', 'b', 'c'])
      // Comparing long buffers member by member takes seconds.
      for (const [at, { content }] of files.entries())
        expect(received[at]?.content.equals(content), `${size}`).toBe(true)
    }
  },
)

it('gives all parts to a reader that skips some', async () => {
  const files = [30_000, 10, 200_000].map((size) => ({ name: `${size}`, content: binary(size) }))
  const names: unknown[] = []
  const options = { maxBytes: 1e9, timeoutMs: 60_000 }
  for await (const { fileName } of readParts(requestOf(encode(files), 65_536), options))
    names.push(fileName)
  expect(names).toEqual(['30000', '10', '200000'])
})
