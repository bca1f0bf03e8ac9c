// POST to an address that the caller has checked: the name is not resolved again, neither here nor
// by the proxy. The certificate and the Host header are those of the name.

import { isIP, type LookupFunction } from 'node:net'
import { type Dispatcher, request } from 'undici'
import { raceSignal } from '../async/signals.ts'
import type { Config } from '../config/config.ts'
import { createDispatcher, findProxy, toProxyError } from './outbound.ts'

export interface OutboundPostRequest {
  url: URL
  /** Of the host of the URL. No other is connected to. */
  addresses: readonly string[]
  headers: Record<string, string>
  body: string
  /** The deadline. Connections end with it. */
  signal: AbortSignal
}

export interface OutboundResponse {
  status: number
  headers: Record<string, string | string[] | undefined>
}

export type OutboundPost = ReturnType<typeof createOutboundPost>

/** Nothing of a response is used but its head; a short body is read for the sake of its sender. */
const maxReadBytes = 4 * 1024
/** Above any deadline, since the signal ends the request. */
const phaseMs = 60_000

/** Returns a function that posts and resolves with the response's head. It follows no redirects. */
export function createOutboundPost(proxies: Config['proxies'], { maxReadMs = 500 } = {}) {
  return async ({
    url,
    addresses,
    headers,
    body,
    signal,
  }: OutboundPostRequest): Promise<OutboundResponse> => {
    const proxy = findProxy(url, proxies)
    const name = url.hostname.replace(/^\[|\]$/g, '')
    const dispatcher = createDispatcher(proxy?.url, {
      ms: phaseMs,
      lookup: fixedLookup(addresses),
      servername: isIP(name) > 0 ? undefined : name,
    })
    try {
      const response = request(proxy ? withAddress(url, addresses) : url, {
        dispatcher,
        method: 'POST',
        headers: { host: url.host, ...headers },
        body,
        signal,
      })
      const head = await raceSignal(response, signal)
      await readSome(head.body, AbortSignal.any([signal, AbortSignal.timeout(maxReadMs)]))
      return { status: head.statusCode, headers: head.headers }
    } catch (error) {
      throw proxy && !signal.aborted ? toProxyError(error, proxy.variable) : error
    } finally {
      dispatcher.destroy().catch(() => undefined)
    }
  }
}

/** undici asks for names only, so an address in the URL must have been checked as well. */
function fixedLookup(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_name, options, callback) => {
    const [first] = found
    if (!first) return callback(new Error('No address was given.'), '')
    if (options.all) callback(null, found)
    else callback(null, first.address, first.family)
  }
}

function withAddress(url: URL, [address = '']: readonly string[]): URL {
  const target = new URL(url)
  target.hostname = isIP(address) === 6 ? `[${address}]` : address
  return target
}

async function readSome(body: Dispatcher.ResponseData['body'], signal: AbortSignal): Promise<void> {
  // The connection is destroyed before the end of a long body.
  body.on('error', () => undefined)
  let size = 0
  const reading = async () => {
    for await (const chunk of body) {
      size += chunk.length
      if (size >= maxReadBytes) return
    }
  }
  await raceSignal(reading(), signal).catch(() => undefined)
}
