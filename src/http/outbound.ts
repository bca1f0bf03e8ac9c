// Requests that leave for the internet: for key sets, and deliveries of webhooks. They go through
// the proxies of HTTP_PROXY and HTTPS_PROXY, unless NO_PROXY names the host. Each has connections
// of its own, which end with it.

import type { LookupFunction } from 'node:net'
import { Agent, type Dispatcher, Pool, ProxyAgent, request } from 'undici'
import { raceSignal } from '../async/signals.ts'
import type { Config } from '../config/config.ts'
import { isNamedBy } from './no-proxy.ts'

export interface OutboundRequest {
  url: string
  headers: Record<string, string>
  /** A longer body fails the request. */
  maxBytes: number
  signal: AbortSignal
}

/** The proxy failed, and not what is behind it. Its message holds no credentials. */
export class ProxyError extends Error {
  override name = 'ProxyError'
  /** The environment variable that names the proxy. */
  readonly variable: string
  /** The status of the proxy's response; undefined when it cannot be reached. */
  readonly status: number | undefined

  constructor(variable: string, status: number | undefined, options?: ErrorOptions) {
    super(`The proxy of ${variable} ${status ? `responded with ${status}` : 'failed'}.`, options)
    this.variable = variable
    this.status = status
  }
}

export class BodyTooLargeError extends Error {
  override name = 'BodyTooLargeError'
}

/** Undici ignores the signal of a request while it connects, so these bound what is left behind. */
const timeoutMs = 5_000
const proxyRefusal = /^Proxy (?:response|Authentication Required) \((\d{3})\)/
const connectCodes =
  /^(ECONNREFUSED|ENOTFOUND|EAI_AGAIN|EHOSTUNREACH|ENETUNREACH|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/

export interface DispatcherOptions {
  /** Bounds each phase of a connection. */
  ms?: number
  /** Replaces DNS, for direct connections. */
  lookup?: LookupFunction
  /** The name in the certificate, where the URL has an address. Only used through a proxy. */
  servername?: string | undefined
}

export type OutboundGet = ReturnType<typeof createOutboundGet>

/** Returns a function that gets a whole response of any status. It follows no redirects. */
export function createOutboundGet(proxies: Config['proxies']) {
  return async ({ url, headers, maxBytes, signal }: OutboundRequest) => {
    const target = new URL(url)
    const proxy = findProxy(target, proxies)
    const dispatcher = createDispatcher(proxy?.url)
    try {
      const response = request(target, {
        dispatcher,
        headers: { 'accept-encoding': 'identity', ...headers },
        signal,
      })
      const { statusCode, body } = await raceSignal(response, signal)
      return { status: statusCode, body: await readAll(body, maxBytes, signal) }
    } catch (error) {
      throw proxy && !signal.aborted ? toProxyError(error, proxy.variable) : error
    } finally {
      dispatcher.destroy().catch(() => undefined)
    }
  }
}

/** The proxy for a URL, and the variable that names it; undefined for a direct connection. */
export function findProxy(target: URL, { http, https, none }: Config['proxies']) {
  const isSecure = target.protocol === 'https:'
  const url = isSecure ? https : http
  if (url === undefined || isNamedBy(none, target)) return undefined
  return { url: new URL(url), variable: isSecure ? 'HTTPS_PROXY' : 'HTTP_PROXY' }
}

export function createDispatcher(
  proxy: URL | undefined,
  { ms = timeoutMs, lookup, servername }: DispatcherOptions = {},
): Dispatcher {
  const timeouts = { headersTimeout: ms, bodyTimeout: ms }
  if (!proxy) {
    return new Agent({ ...timeouts, connect: { timeout: ms, ...(lookup && { lookup }) } })
  }
  const { origin, username, password } = proxy
  const login = Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`)
  return new ProxyAgent({
    ...timeouts,
    // Without credentials, so that no error can quote them.
    uri: origin,
    ...((username || password) && { token: `Basic ${login.toString('base64')}` }),
    // Proxies often refuse tunnels to other ports than 443.
    proxyTunnel: false,
    proxyTls: { timeout: ms },
    requestTls: { timeout: ms, ...(servername !== undefined && { servername }) },
    clientFactory: (target, options) => new Pool(target, { ...options, ...timeouts }),
  })
}

async function readAll(
  body: Dispatcher.ResponseData['body'],
  maxBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    signal.throwIfAborted()
    size += chunk.length
    if (size > maxBytes) throw new BodyTooLargeError(`The body is larger than ${maxBytes} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Other errors come from behind the proxy. */
export function toProxyError(error: unknown, variable: string): unknown {
  if (!(error instanceof Error)) return error
  const [, status] = proxyRefusal.exec(error.message) ?? []
  const { code } = error as { code?: unknown }
  const isUnreachable = typeof code === 'string' && connectCodes.test(code)
  return status || isUnreachable
    ? new ProxyError(variable, status ? Number(status) : undefined, { cause: error })
    : error
}
