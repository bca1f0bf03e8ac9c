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
import { type Checksum, createChecksums } from './checksums.ts'
import type { StoreAction } from './explain.ts'
import { openPutRequest, type PutRequest } from './put-request.ts'
import { isHtml, StoreError } from './store-error.ts'
import { StoreProblem } from './store-problem.ts'

export interface StoreAccess {
  /** An origin: scheme, host and port. */
  endpoint: string
  accessKey: string
  secretKey: string
  region: string
  /** Where the bucket stands in a URL: in the path, or before the host. Default `path`. */
  addressing?: 'path' | 'virtual'
}

export interface CallLimits {
  /** What is asked of the store, for the explanation of a failure. */
  action: StoreAction
  /** Undefined for calls that nothing cancels, such as a cleanup. */
  signal: AbortSignal | undefined
  /** For the whole call, including the response body. */
  timeoutMs: number
}

export type LimitsFor = (action: StoreAction, signal?: AbortSignal) => CallLimits

export interface PutTarget {
  bucket: string
  key: string
  contentType: string
  /** Of the body, in bytes. */
  length: number
  /** Set for a part of a multipart upload. */
  part?: { uploadId: string; number: number } | undefined
  /** Its signed headers are not for `openPut`. */
  checksum?: Checksum
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
  const checksums = createChecksums()

  function clientFor(signal: AbortSignal, seen: SeenResponse): Client {
    const request = (options: RequestOptions, onResponse: (response: IncomingMessage) => void) => {
      const sent = send({ ...options, agent, signal, timeout: idleMs }, (response) => {
        seen.response = response
        onResponse(response)
      })
      sent.on('timeout', () => sent.destroy(new Error(`The store was silent for ${idleMs} ms.`)))
      return sent
    }
    return createClient(access, { request: request as Transport['request'] })
  }

  /**
   * Rejects with the signal's reason when it aborts, and with Problem STORAGE_UNAVAILABLE (and its
   * cause) when the store fails, refuses or is too slow. Both close the call's sockets. A Problem
   * that `work` throws passes unchanged.
   */
  async function call<T>(
    { signal, timeoutMs, action }: CallLimits,
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
    const seen: SeenResponse = {}
    try {
      const result = await raceSignal(work(clientFor(signalOrTimeout, seen)), signalOrTimeout)
      if (isOfAnother(seen.response, action)) throw new Error('Not a response of S3.')
      return result
    } catch (error) {
      const isOver = signalOrTimeout.aborted
      // The client leaves the body of some error responses unread, which keeps their sockets open.
      ended.abort()
      signal?.throwIfAborted()
      if (error instanceof Problem) throw error
      throw new StoreProblem(isOver ? error : toStoreError(error, seen.response, action), action)
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
    { bucket, key, contentType, length, part, checksum = {} }: PutTarget,
    signal: AbortSignal,
  ): Promise<PutRequest> {
    const query = part ? { uploadId: part.uploadId, partNumber: String(part.number) } : {}
    const client = createClient(access)
    const url = await client.presignedUrl('PUT', bucket, key, putUrlSeconds, query)
    const { contentMd5 } = checksum
    const headers = {
      'content-type': contentType,
      'content-length': length,
      ...(contentMd5 !== undefined && { 'content-md5': contentMd5 }),
    }
    return openPutRequest({ url, headers, send, agent, signal, idleMs })
  }

  /** A PUT of bytes in memory whose signature covers the headers of its checksum. */
  async function putSigned(
    { bucket, key, contentType, part, checksum }: PutTarget,
    bytes: Buffer,
    limits: CallLimits,
  ): Promise<string> {
    const headers = { 'content-type': contentType, ...checksum?.signedHeaders }
    const query = part && `partNumber=${part.number}&uploadId=${encodeURIComponent(part.uploadId)}`
    return call(limits, async (client) => {
      const options = { method: 'PUT', bucketName: bucket, objectName: key, headers }
      const response = await client.makeRequestAsyncOmit(
        { ...options, ...(query && { query }) },
        bytes,
      )
      return String(response.headers.etag ?? '').replaceAll('"', '')
    })
  }

  return { call, openPut, putSigned, checksums, close: () => agent.destroy() }
}

interface SeenResponse {
  response?: IncomingMessage
}

/** Objects may be HTML; everything else that S3 sends is XML. */
function isOfAnother(response: IncomingMessage | undefined, action: StoreAction): boolean {
  return response !== undefined && action !== 'read objects' && isHtml(response.headers)
}

/** A refusal with its status, which the client drops; every other error unchanged. */
function toStoreError(
  error: unknown,
  response: IncomingMessage | undefined,
  action: StoreAction,
): unknown {
  const { statusCode: status = 0, headers = {} } = response ?? {}
  if (error instanceof StoreError) return error
  if (status < 300 && !isOfAnother(response, action)) return error
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return new StoreError({
    status,
    headers,
    ...(typeof code === 'string' && code !== '' && !isHtml(headers) && { code }),
    ...(typeof message === 'string' && { text: message }),
  })
}

export function createClient(
  { endpoint, accessKey, secretKey, region, addressing = 'path' }: StoreAccess,
  transport?: Pick<Transport, 'request'>,
): Client {
  const { protocol, hostname, port } = new URL(endpoint)
  const options: ConstructorParameters<typeof Client>[0] = {
    endPoint: hostname.replace(/^\[|\]$/g, ''),
    useSSL: protocol === 'https:',
    accessKey,
    secretKey,
    // With a region, the client needs no request to sign a URL.
    region,
    pathStyle: addressing === 'path',
    retryOptions: { disableRetry: true },
  }
  if (port) options.port = Number(port)
  if (transport) options.transport = transport as Transport
  return new Client(options)
}
