// One call to the store, with its signal, its deadline and its failure. The minio client knows
// neither signals nor time limits, and retries with lines on the console; so each call gets a
// client of its own (an object, no connection) over a transport of ours.

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
  /** Origins: scheme, host and port. */
  endpoint: string
  accessKey: string
  secretKey: string
  region: string
}

export interface Limits {
  /** Undefined where nobody waits for this call, as in cleaning up. */
  signal: AbortSignal | undefined
  /** For the whole call, its answer included. */
  totalMs: number
}

export interface PutTarget {
  bucket: string
  key: string
  contentType: string
  /** In bytes, exactly. */
  length: number
  /** Of which upload it is a part. */
  part?: { uploadId: string; number: number }
}

/**
 * As long as stores forgive a clock for the requests that they take; it ends with the first byte,
 * not with the last.
 */
const putSeconds = 900

export type StoreCalls = ReturnType<typeof createStoreCalls>
type Transport = NonNullable<ClientOptions['transport']>

/** `idleMs`: how long a connection may stand without a byte in either direction. */
export function createStoreCalls(access: StoreAccess, { idleMs }: { idleMs: number }) {
  const isSecure = access.endpoint.startsWith('https:')
  // Idle connections go before a store or a proxy closes them: one that is closed just as it is
  // used would be an outage to us.
  const agent = new (isSecure ? HttpsAgent : HttpAgent)({ keepAlive: true, timeout: 4_000 })
  const send = isSecure ? requestHttps : requestHttp

  function clientFor(signal: AbortSignal): Client {
    const request = (options: RequestOptions, onResponse: (response: IncomingMessage) => void) => {
      const sent = send({ ...options, agent, signal, timeout: idleMs }, onResponse)
      sent.on('timeout', () => sent.destroy(new Error(`the store was silent for ${idleMs} ms`)))
      return sent
    }
    return createClient(access, { request: request as Transport['request'] })
  }

  /**
   * Rejects with the signal's own reason when that aborts, with Problem STORAGE_UNAVAILABLE (and
   * its cause) when the store fails or takes too long, at once and with all its sockets closed. A
   * Problem that `work` throws passes as it is.
   */
  async function call<T>(
    { signal, totalMs }: Limits,
    work: (client: Client) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted()
    const left = new AbortController()
    // A timeout signal that nobody but another signal refers to may be collected, and then never
    // fires.
    const timer = setTimeout(
      () => left.abort(new DOMException(`the store took over ${totalMs} ms`, 'TimeoutError')),
      totalMs,
    )
    const ends = anySignal(signal, left.signal)
    try {
      return await raceSignal(work(clientFor(ends)), ends)
    } catch (error) {
      // The client leaves answers of some failures unread, and those hold their sockets.
      left.abort()
      signal?.throwIfAborted()
      throw error instanceof Problem ? error : new Problem('STORAGE_UNAVAILABLE', { cause: error })
    } finally {
      clearTimeout(timer)
    }
  }

  /**
   * A PUT that is about to be written. Its payload isn't part of the signature, as with HTTPS: what
   * arrived is looked at in the store. What it rejects with is to pass through `call`; it lives
   * until it is finished, destroyed, or the signal aborts.
   */
  async function openPut(
    { bucket, key, part, ...rest }: PutTarget,
    signal: AbortSignal,
  ): Promise<PutRequest> {
    const query = part ? { uploadId: part.uploadId, partNumber: String(part.number) } : {}
    const url = await createClient(access).presignedUrl('PUT', bucket, key, putSeconds, query)
    return openPutRequest({ url, ...rest, send, agent, signal, idleMs })
  }

  return { call, openPut, close: () => agent.destroy() }
}

/**
 * The code that the store gave, where it gave one: `NoSuchKey`, or `NotFound` where the answer has
 * no body.
 */
export function storeCode(error: unknown): string | undefined {
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
    // With the region given, nothing has to be asked before something is signed.
    region,
    retryOptions: { disableRetry: true },
    ...(transport ? { transport: transport as Transport } : {}),
  })
}
