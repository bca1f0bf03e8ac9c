// One call to the store, with its signal, timeout and error. The minio client has no signals and no
// timeouts, and logs retries to the console. So each call gets its own client (an object without a
// connection) over our HTTP agent.

import {
  Agent as HttpAgent,
  type IncomingMessage,
  type RequestOptions,
  request as requestHttp,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { Client, type ClientOptions } from 'minio'
import { anySignal, raceSignal } from '../async/signals.ts'
import { Problem } from '../domain/problem.ts'
import { openPutRequest, type PutRequest } from './put-request.ts'

export interface StoreAccess {
  /** An origin: scheme, host and port. */
  endpoint: string
  accessKey: string
  secretKey: string
  region: string
}

export interface CallLimits {
  /** Undefined for calls that nothing cancels, such as a cleanup. */
  signal: AbortSignal | undefined
  /** For the whole call, including the response body. */
  timeoutMs: number
}

export interface PutTarget {
  bucket: string
  key: string
  contentType: string
  /** Of the body, in bytes. */
  length: number
  /** Set for a part of a multipart upload. */
  part?: { uploadId: string; number: number } | undefined
}

/**
 * How long the URL of a PUT is valid: 15 minutes, the clock difference that stores accept for other
 * requests. The store checks it at the first byte only.
 */
const putUrlSeconds = 900

export type StoreCalls = ReturnType<typeof createStoreCalls>
type Transport = NonNullable<ClientOptions['transport']>

/** `idleMs`: how long a connection may carry no byte in either direction. */
export function createStoreCalls(access: StoreAccess, { idleMs }: { idleMs: number }) {
  const isSecure = access.endpoint.startsWith('https:')
  // We close idle connections before a store or proxy does: a connection that is closed while a
  // request starts on it would look like an outage.
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, timeout: 4_000 })
  const send = isSecure ? requestHttps : requestHttp

  function clientFor(signal: AbortSignal): Client {
    const request = (options: RequestOptions, onResponse: (response: IncomingMessage) => void) => {
      const sent = send({ ...options, agent, signal, timeout: idleMs }, onResponse)
      sent.on('timeout', () => sent.destroy(new Error(`The store was silent for ${idleMs} ms.`)))
      return sent
    }
    return createClient(access, { request: request as Transport['request'] })
  }

  /**
   * Rejects with the signal's reason when it aborts, and with Problem STORAGE_UNAVAILABLE (and its
   * cause) when the store fails or is too slow. Both close the call's sockets. A Problem that
   * `work` throws passes unchanged.
   */
  async function call<T>(
    { signal, timeoutMs }: CallLimits,
    work: (client: Client) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted()
    const ended = new AbortController()
    // Not AbortSignal.timeout: one that only another signal refers to can be collected as garbage
    // and then never fires.
    const timer = setTimeout(
      () =>
        ended.abort(new DOMException(`The store took more than ${timeoutMs} ms.`, 'TimeoutError')),
      timeoutMs,
    )
    const signalOrTimeout = anySignal(signal, ended.signal)
    try {
      return await raceSignal(work(clientFor(signalOrTimeout)), signalOrTimeout)
    } catch (error) {
      // The client leaves the body of some error responses unread, which keeps their sockets open.
      ended.abort()
      signal?.throwIfAborted()
      throw error instanceof Problem ? error : new Problem('STORAGE_UNAVAILABLE', { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * Starts a PUT whose body is written later. The signature doesn't cover the body; the caller
   * checks what arrived. Pass its rejections through `call`. It stays open until it is finished,
   * destroyed, or the signal aborts.
   */
  async function openPut(
    { bucket, key, contentType, length, part }: PutTarget,
    signal: AbortSignal,
  ): Promise<PutRequest> {
    const query = part ? { uploadId: part.uploadId, partNumber: String(part.number) } : {}
    const client = createClient(access)
    const url = await client.presignedUrl('PUT', bucket, key, putUrlSeconds, query)
    return openPutRequest({ url, contentType, length, send, agent, signal, idleMs })
  }

  return { call, openPut, close: () => agent.destroy() }
}

/**
 * The store's error code, such as `NoSuchKey` (`NotFound` when the response has no body), or the
 * code of a connection error. Undefined when there is none.
 */
export function storeErrorCode(error: unknown): string | undefined {
  const cause = error instanceof Problem ? error.cause : error
  const code = (cause as { code?: unknown } | undefined)?.code
  return typeof code === 'string' ? code : undefined
}

export function createClient(
  { endpoint, accessKey, secretKey, region }: StoreAccess,
  transport?: Pick<Transport, 'request'>,
): Client {
  const { protocol, hostname, port } = new URL(endpoint)
  return new Client({
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    useSSL: protocol === 'https:',
    ...(port ? { port: Number(port) } : {}),
    accessKey,
    secretKey,
    // With a region, the client needs no request to sign a URL.
    region,
    retryOptions: { disableRetry: true },
    ...(transport ? { transport: transport as Transport } : {}),
  })
}
