// A multipart/form-data body whose files are read while they are sent. FormData takes only files
// that are there already.

/** A file whose bytes come as they are read, such as a `Readable` of Node. */
export interface StreamedFile {
  name: string
  /** Default: `application/octet-stream`. The gateway looks at the content in any case. */
  type?: string | undefined
  stream: AsyncIterable<Uint8Array>
}

export interface StreamedForm {
  contentType: string
  body: ReadableStream<Uint8Array<ArrayBuffer>>
  /** What reading a file failed with, if it did: requests report it as a failure of the network. */
  failure: () => { reason: unknown } | undefined
  /** Stops reading: a request that ends early does not cancel its body everywhere. */
  close: () => void
}

/** The form is sent once, and closed afterwards. */
export function createStreamedForm(
  part: string,
  files: readonly (File | StreamedFile)[],
): StreamedForm {
  const boundary = `form-${Array.from(crypto.getRandomValues(new Uint32Array(4))).join('')}`
  const bytes = encodeParts(part, boundary, files)
  let failure: { reason: unknown } | undefined
  return {
    contentType: `multipart/form-data; boundary=${boundary}`,
    failure: () => failure,
    // `ReadableStream.from` is missing in browsers, but their compilers see this file, too.
    body: new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        try {
          const next = await bytes.next()
          if (next.done) controller.close()
          else controller.enqueue(next.value)
        } catch (reason) {
          failure = { reason }
          throw reason
        }
      },
    }),
    close: () => void bytes.return(undefined).catch(() => undefined),
  }
}

async function* encodeParts(
  part: string,
  boundary: string,
  files: readonly (File | StreamedFile)[],
): AsyncGenerator<Uint8Array<ArrayBuffer>, undefined, undefined> {
  const encoder = new TextEncoder()
  for (const file of files) {
    const type = (file.type ?? '').replace(/[\r\n]/g, ' ') || 'application/octet-stream'
    const disposition = `form-data; name="${part}"; filename="${escapeName(file.name)}"`
    yield encoder.encode(
      `--${boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: ${type}\r\n\r\n`,
    )
    for await (const chunk of isFile(file) ? chunksOf(file) : file.stream) {
      yield new Uint8Array(chunk)
    }
    yield encoder.encode('\r\n')
  }
  yield encoder.encode(`--${boundary}--\r\n`)
}

export const isFile = (file: File | StreamedFile): file is File =>
  !('stream' in file) || typeof file.stream === 'function'

/** Browsers' streams are not all iterable. */
async function* chunksOf(file: File): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = file.stream().getReader()
  for (let next = await reader.read(); !next.done; next = await reader.read()) yield next.value
}

/** As browsers write names into forms (HTML, multipart/form-data encoding algorithm). */
const escapeName = (name: string) =>
  name.replace(/[\r\n"]/g, (character) => encodeURIComponent(character))
