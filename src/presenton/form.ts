// A `multipart/form-data` body of one file. Its name is ours: early versions write wherever a name
// leads.

import { randomUUID } from 'node:crypto'

export interface FormFile {
  /** The name of the part. */
  part: 'files' | 'file'
  /** Without a dot. */
  extension: string
  contentType: string
  /** Undefined where it is only known at the end. */
  sizeBytes: number | undefined
  /** Called again for another attempt, such as after a new login. */
  open: () => AsyncIterable<Uint8Array> | Iterable<Uint8Array>
}

export function createForm({ part, extension, contentType, sizeBytes, open }: FormFile) {
  const boundary = `gateway-${randomUUID()}`
  const start = Buffer.from(
    `--${boundary}\r\n` +
      `Content-Disposition: form-data; name="${part}"; filename="source.${extension}"\r\n` +
      `Content-Type: ${contentType}\r\n\r\n`,
  )
  const end = Buffer.from(`\r\n--${boundary}--\r\n`)
  return {
    headers: {
      'content-type': `multipart/form-data; boundary=${boundary}`,
      ...(sizeBytes !== undefined && {
        'content-length': String(start.length + sizeBytes + end.length),
      }),
    },
    async *openBody() {
      yield start
      yield* open()
      yield end
    },
  }
}
