// One PUT of a body of known length to a presigned URL, written piece by piece: the minio client
// sends only a body that is whole in memory. The store creates the object or part when it has
// received the last byte, or not at all.

import type {
  Agent,
  ClientRequest,
  IncomingMessage,
  OutgoingHttpHeaders,
  RequestOptions,
} from 'node:http'
import { isHtml, StoreError } from './store-error.ts'

export interface PutRequestOptions {
  url: string
  /** With the length of the whole body. */
  headers: OutgoingHttpHeaders
  send: (url: string, options: RequestOptions) => ClientRequest
  agent: Agent
  signal: AbortSignal
  /** How long the store may be silent while it has bytes to receive or a response to send. */
  idleMs: number
}

export type PutRequest = ReturnType<typeof openPutRequest>

const maxErrorBytes = 64 * 1024

/** Its methods reject with errors of the connection, or with StoreError. */
export function openPutRequest({ url, headers, send, agent, signal, idleMs }: PutRequestOptions) {
  const request = send(url, { method: 'PUT', headers, agent, signal, timeout: idleMs })
  let isFinished = false
  request.on('timeout', () => request.destroy(new Error(`The store was silent for ${idleMs} ms.`)))
  const responded = new Promise<string>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (response) => {
      readEtag(response).then((etag) => {
        if (isFinished) resolve(etag)
        else reject(new Error('The store responded before it had the whole body.'))
      }, reject)
    })
  })
  responded.catch(() => undefined)

  /** The idle timeout runs only while we wait for the store: the source may be slower. */
  async function withIdleTimeout<T>(work: Promise<T>): Promise<T> {
    request.socket?.setTimeout(idleMs)
    try {
      return await work
    } finally {
      request.socket?.setTimeout(0)
    }
  }

  return {
    /** Resolves when the bytes are sent: their memory may be reused. */
    write(bytes: Buffer): Promise<void> {
      const written = new Promise<void>((resolve, reject) => {
        request.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
      // A store that refuses the upload responds before it has all bytes.
      return withIdleTimeout(Promise.race([written, responded.then(() => undefined)]))
    },

    /** Sends the last bytes; resolves with the ETag of what the store created. */
    finish(bytes: Buffer): Promise<string> {
      isFinished = true
      request.end(bytes)
      return withIdleTimeout(responded)
    },

    /** Without `finish()` nothing is created. */
    destroy(): void {
      request.destroy()
    },
  }
}

async function readEtag(response: IncomingMessage): Promise<string> {
  const { statusCode: status = 0, headers } = response
  let text = ''
  for await (const chunk of response.setEncoding('utf8'))
    if (text.length < maxErrorBytes) text += chunk
  if (status === 200 && !isHtml(headers)) return String(headers.etag ?? '').replaceAll('"', '')
  const code = /<Code>\s*([\w.-]{1,100})\s*<\/Code>/.exec(text)?.[1]
  const sentence = /<Message>([^<]{1,1000})<\/Message>/.exec(text)?.[1]
  throw new StoreError({ status, headers, code, text: sentence ?? text.slice(0, 1000) })
}
