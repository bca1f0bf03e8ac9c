// Requests through real proxies, and what is said when a proxy fails.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type ForwardProxy, openForwardProxy } from '../sandbox/forward-proxy.ts'
import { explainFailedFetch } from './key-set-troubles.ts'
import { createOutboundGet } from './outbound.ts'

let target: Server
let port: number
let seen: string[]
let proxy: ForwardProxy

beforeEach(async () => {
  seen = []
  target = createServer((request, response) => {
    seen.push(`${request.headers.host} ${request.url}`)
    response.end('a body')
  })
  await new Promise<void>((resolve) => target.listen(0, '127.0.0.1', resolve))
  ;({ port } = target.address() as AddressInfo)
  proxy = await openForwardProxy({ target: { port } })
})
afterEach(async () => {
  await proxy.close()
  target.closeAllConnections()
  await new Promise((resolve) => target.close(resolve))
})

interface Settings {
  http?: string
  https?: string
  none?: string[]
}

async function get(url: string, { http, https, none = [] }: Settings = {}, timeoutMs = 20_000) {
  const { status, body } = await createOutboundGet({ http, https, none })({
    url,
    headers: { 'x-test': 'yes' },
    maxBytes: 100,
    signal: AbortSignal.timeout(timeoutMs),
  })
  return `${status} ${body}`
}

/** The error of a request that must fail, as operators are told. */
async function failureOf(url: string, settings: Settings, timeoutMs?: number) {
  const error = await get(url, settings, timeoutMs).then(
    (text) => Promise.reject(new Error(`the request succeeded: ${text}`)),
    (reason: unknown) => reason,
  )
  const { reason, variable, detail } = explainFailedFetch(error)
  return { error: String(error), reason, variable, detail }
}

test('asks the proxy of HTTP_PROXY for http URLs, with the host and port of the URL', async () => {
  expect(await get('http://issuer.invalid/keys?a=1', { http: proxy.url })).toBe('200 a body')
  expect(await get('http://issuer.invalid:8080/keys', { http: proxy.url })).toBe('200 a body')
  expect(proxy.requests).toEqual([
    'GET http://issuer.invalid/keys?a=1',
    'GET http://issuer.invalid:8080/keys',
  ])
})

test('opens a tunnel through the proxy of HTTPS_PROXY for https URLs', async () => {
  // The target speaks no TLS: the tunnel is what matters.
  await expect(get('https://issuer.invalid/keys', { https: proxy.url })).rejects.toThrow()
  await expect(get('https://issuer.invalid:8443/keys', { https: proxy.url })).rejects.toThrow()
  expect(proxy.requests).toEqual(['CONNECT issuer.invalid:443', 'CONNECT issuer.invalid:8443'])
})

test('asks no proxy for other schemes, and for hosts of NO_PROXY', async () => {
  const url = `http://127.0.0.1:${port}/keys`
  expect(await get(url)).toBe('200 a body')
  expect(await get(url, { https: proxy.url })).toBe('200 a body')
  for (const entry of ['*', '127.0.0.1', `127.0.0.1:${port}`, '127.0.0.0/8'])
    expect(await get(url, { http: proxy.url, none: ['x.invalid', entry] }), entry).toBe(
      '200 a body',
    )
  expect(proxy.requests).toEqual([])
  expect(await get(url, { http: proxy.url, none: ['127.0.0.1:1'] })).toBe('200 a body')
  expect(proxy.requests).toHaveLength(1)
})

test('logs in with the credentials of the URL, and says when they are refused', async () => {
  const guarded = await openForwardProxy({ target: { port }, login: 'na me:p@ss' })
  const right = `http://na%20me:p%40ss@127.0.0.1:${guarded.port}`
  expect(await get('http://issuer.invalid/keys', { http: right })).toBe('200 a body')
  const wrong = `http://name:PLANTED@127.0.0.1:${guarded.port}`
  const refused = await failureOf('http://issuer.invalid/keys', { http: wrong })
  expect(refused).toMatchObject({ reason: 'credentials_refused', variable: 'HTTP_PROXY' })
  const tunnel = await failureOf('https://issuer.invalid/keys', { https: wrong })
  expect(tunnel).toMatchObject({ reason: 'credentials_refused', variable: 'HTTPS_PROXY' })
  expect(JSON.stringify([refused, tunnel])).not.toMatch(/PLANTED|127\.0\.0\.1/)
  await guarded.close()
})

test('names the variable of a proxy that cannot be reached', async () => {
  const nowhere = { http: 'http://127.0.0.1:1', https: 'http://proxy.invalid:3128' }
  expect(await failureOf('http://issuer.invalid/keys', nowhere)).toMatchObject({
    reason: 'unreachable',
    variable: 'HTTP_PROXY',
  })
  expect(await failureOf('https://issuer.invalid/keys', nowhere)).toMatchObject({
    reason: 'unreachable',
    variable: 'HTTPS_PROXY',
  })
  expect(await failureOf('http://127.0.0.1:1/keys', {})).toMatchObject({
    reason: 'unreachable',
    variable: 'AUTH_JWKS_URL',
  })
})

test('times out on a proxy that does not respond', async () => {
  proxy.stall()
  const startedMs = performance.now()
  const failure = await failureOf('https://issuer.invalid/keys', { https: proxy.url }, 300)
  expect(failure).toMatchObject({ reason: 'no_response' })
  expect(performance.now() - startedMs).toBeLessThan(4_000)
})

test('fails for a body that is too large', async () => {
  target.removeAllListeners('request').on('request', (_request, response) => {
    response.end('x'.repeat(101))
  })
  expect(await failureOf(`http://127.0.0.1:${port}/keys`, {})).toMatchObject({
    reason: 'misconfigured',
    detail: expect.stringContaining('more than'),
  })
})
