// One PUT of a body of known length to a signed address, written piece by piece: the client can
// only send what lies in memory as a whole, and reads it twice more for its sums. An object or a
// part comes to be with its last byte, or not at all.

import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'

export interface PutRequestOptions {
  url: string
  length: number
  contentType: string
  send: (url: string, options: RequestOptions) => ClientRequest
  agent: Agent
  /** Ends it, whatever it is doing. */
  signal: AbortSignal
  /** How long the connection may stand still while the store has something to take or to answer. */
  idleMs: number
}

export type PutRequest = ReturnType<typeof openPutRequest>

const maxErrorBytes = 64 * 1024

/** Rejections are errors of the connection, or of the store with its `code`. */
export function openPutRequest({
  url,
  length,
  contentType,
  send,
  agent,
  signal,
  idleMs,
}: PutRequestOptions) {
  const headers = { 'content-type': contentType, 'content-length': length }
  const request = send(url, { method: 'PUT', headers, agent, signal, timeout: idleMs })
  let isFinished = false
  request.on('timeout', () => request.destroy(new Error(`the store was silent for ${idleMs} ms`)))
  const answered = new Promise<string>((resolve, reject) => {
    request.on('error', reject)
    request.on('response', (answer) => {
      readAnswer(answer).then(
        (etag) => (isFinished ? resolve(etag) : reject(new Error('the store answered too early'))),
        reject,
      )
    })
  })
  answered.catch(() => undefined)

  /**
   * The clock of the connection runs only while the store's side of it is waited for: the source
   * may be slower.
   */
  async function watched<T>(work: Promise<T>): Promise<T> {
    request.socket?.setTimeout(idleMs)
    try {
      return await work
    } finally {
      request.socket?.setTimeout(0)
    }
  }

  return {
    /** Resolves when the bytes have left: their memory may be used again. */
    write(bytes: Buffer): Promise<void> {
      const written = new Promise<void>((resolve, reject) => {
        request.write(bytes, (error) => (error ? reject(error) : resolve()))
      })
      // A store that refuses says so before it has all.
      return watched(Promise.race([written, answered.then(() => undefined)]))
    },

    /** The last bytes; resolves with the ETag once the store has taken everything. */
    finish(bytes: Buffer): Promise<string> {
      isFinished = true
      request.end(bytes)
      return watched(answered)
    },

    /** Nothing comes to be unless it was finished. */
    destroy(): void {
      request.destroy()
    },
  }
}

async function readAnswer(answer: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of answer.setEncoding('utf8'))
    if (text.length < maxErrorBytes) text += chunk
  if (answer.statusCode === 200) return String(answer.headers.etag ?? '').replaceAll('"', '')
  const code = /<Code>(\w{1,100})<\/Code>/.exec(text)?.[1]
  throw Object.assign(new Error(`the store answered ${answer.statusCode} ${code ?? ''}`.trim()), {
    code,
  })
}
