// What operators see when the issuer or its configuration is wrong, and key sets behind a proxy.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { openForwardProxy } from '../sandbox/forward-proxy.ts'
import type { Environment, Gateway } from '../sandbox/gateway.ts'
import { openTokenIssuer, type TokenIssuer } from '../sandbox/tokens.ts'
import { openWorld, type World } from './world.ts'

let world: World
let issuer: TokenIssuer
beforeAll(async () => {
  issuer = await openTokenIssuer()
  world = await openWorld({ replicas: 0, env: { WORKER: 'false', AUTH_JWT_SECRET: undefined } })
})
afterEach(() => world.closeReplicas())
afterAll(async () => {
  await world.close()
  await issuer.close()
})

const open = (env: Environment = {}) => world.openReplica({ ...issuer.env, ...env })

async function list(gateway: { url: string }, token: string): Promise<number> {
  const headers = { authorization: `Bearer ${token}` }
  return (await fetch(`${gateway.url}/api/v1/presentations`, { headers })).status
}

async function issuerCheck({ url }: { url: string }) {
  const response = await fetch(`${url}/health/ready`)
  const { status, checks } = (await response.json()) as {
    status: string
    checks: Record<string, unknown>
  }
  return { code: response.status, status, check: checks['issuer'] }
}

async function refusedCount({ url }: { url: string }, reason: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`)).text()
  const [, value] =
    new RegExp(`^gateway_refused_tokens_total\\{reason="${reason}"\\} (\\d+)$`, 'm').exec(
      metrics,
    ) ?? []
  return Number(value)
}

const warnings = ({ logs }: Gateway) =>
  logs
    .map((line) => JSON.parse(line))
    .filter(
      ({ level, part, msg }) =>
        level === 'warn' && (part === 'issuer' || /^refused a token/.test(msg)),
    )

test.each([
  ['a token without sub', { sub: undefined }, 'subject', 'AUTH_JWKS_URL'],
  ['a token for another audience', { sub: 'a', aud: 'account' }, 'audience', 'AUTH_AUDIENCE'],
  ['a token of another issuer', { sub: 'a', iss: 'https://other' }, 'issuer', 'AUTH_ISSUER'],
])(
  '%s is counted, logged without the token, and degrades health until one is accepted',
  async (_what, claims, reason, variable) => {
    const gateway = await open()
    expect(await refusedCount(gateway, reason)).toBe(0)
    const token = await issuer.sign(claims)
    for (let i = 0; i < 3; i++) expect(await list(gateway, token)).toBe(401)
    expect(await refusedCount(gateway, reason)).toBe(3)
    expect(await issuerCheck(gateway)).toMatchObject({
      code: 200,
      status: 'degraded',
      check: { status: 'degraded', reason: 'tokens_refused', variable },
    })
    expect(warnings(gateway)).toEqual([expect.objectContaining({ part: 'issuer', variable })])
    expect(gateway.logs.join('')).not.toContain(token.split('.')[1])
    expect(await list(gateway, await issuer.sign({ sub: 'alice' }))).toBe(200)
    expect(await issuerCheck(gateway)).toMatchObject({ status: 'ok', check: undefined })
  },
)

test('an empty key set and one that cannot be fetched are named, and both recover', async () => {
  const gateway = await open()
  const token = await issuer.sign({ sub: 'alice' })
  issuer.injectFault({ kind: 'status', status: 200, body: '{"keys":[]}' }, { times: 2 })
  expect(await list(gateway, token)).toBe(401)
  expect(await refusedCount(gateway, 'unknown_key')).toBe(1)
  expect(await issuerCheck(gateway)).toMatchObject({
    status: 'degraded',
    check: { reason: 'misconfigured', variable: 'AUTH_JWKS_URL' },
  })
  expect(warnings(gateway)).toContainEqual(expect.objectContaining({ part: 'issuer' }))

  const failing = await open()
  issuer.injectFault({ kind: 'status', status: 500 })
  expect(await list(failing, token)).toBe(503)
  expect(await refusedCount(failing, 'keys_unavailable')).toBe(1)
  expect(await issuerCheck(failing)).toMatchObject({
    check: { reason: 'failing', variable: 'AUTH_JWKS_URL' },
  })
  await expect.poll(() => list(failing, token), { timeout: 30_000 }).toBe(200)
  expect(await issuerCheck(failing)).toMatchObject({ status: 'ok', check: undefined })
})

test('tokens that anyone can send never degrade health, and cause a line a minute', async () => {
  const gateway = await open()
  const [header, payload] = (await issuer.sign({ sub: 'alice' })).split('.')
  const bad = [
    'garbage',
    'a.b.c',
    `${header}.${payload}.AAAA`,
    await issuer.sign({ sub: 'a' }, { kid: 'unheard-of' }),
    await issuer.sign({ sub: 'a', expiresInSeconds: -60 }),
    await world.sign({ sub: 'a' }),
  ]
  for (let i = 0; i < 3; i++) for (const token of bad) expect(await list(gateway, token)).toBe(401)
  expect(await issuerCheck(gateway)).toMatchObject({ status: 'ok', check: undefined })
  const reasons = warnings(gateway).map(({ reason }) => reason)
  expect(reasons.sort()).toEqual(['algorithm', 'malformed', 'signature', 'unknown_key'])
  for (const reason of [...reasons, 'expired'])
    expect(await refusedCount(gateway, reason), reason).toBeGreaterThanOrEqual(3)
})

test('fetches keys through HTTP_PROXY, and reaches Presenton and the store directly', async () => {
  const { port } = new URL(issuer.jwksUrl)
  const proxy = await openForwardProxy({ target: { port: Number(port) }, login: 'name:PLANTED-pw' })
  const behindProxy = {
    AUTH_JWKS_URL: 'http://keys.issuer.invalid/.well-known/jwks.json',
    HTTP_PROXY: proxy.url,
    HTTPS_PROXY: proxy.url,
  }
  const gateway = await open(behindProxy)
  const token = await issuer.sign({ sub: 'alice' })
  expect(await list(gateway, token)).toBe(200)
  expect(await issuerCheck(gateway)).toMatchObject({ status: 'ok' })
  expect(proxy.requests).toEqual([`GET ${behindProxy.AUTH_JWKS_URL}`])

  const wrongLogin = proxy.url.replace('PLANTED-pw', 'PLANTED-wrong')
  const refused = await open({ ...behindProxy, http_proxy: wrongLogin })
  expect(await list(refused, token)).toBe(503)
  const { check } = await issuerCheck(refused)
  expect(check).toMatchObject({ reason: 'credentials_refused', variable: 'HTTP_PROXY' })
  expect(warnings(refused)).toContainEqual(expect.objectContaining({ variable: 'HTTP_PROXY' }))

  const direct = await open({ HTTP_PROXY: 'http://127.0.0.1:1', NO_PROXY: 'x, 127.0.0.0/8' })
  expect(await list(direct, token)).toBe(200)
  const text = JSON.stringify([check, gateway.logs, refused.logs])
  expect(text).not.toMatch(/PLANTED/)
  await proxy.close()
})

test('never asks for the keys that a token names', async () => {
  const requests: string[] = []
  const other: Server = createServer((request, response) => {
    requests.push(request.url ?? '')
    response.end('{"keys":[]}')
  })
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}/keys`
  const gateway = await open()
  const extra = { jku: url, x5u: url, typ: 'at+jwt' } as Record<string, string>
  expect(await list(gateway, await issuer.sign({ sub: 'alice' }, extra))).toBe(200)
  expect(await list(gateway, await issuer.sign({ sub: 'a' }, { ...extra, kid: 'x' }))).toBe(401)
  expect(requests).toEqual([])
  await new Promise((resolve) => other.close(resolve))
})

test('a misspelt variable is named in a warning at start-up', async () => {
  const gateway: Gateway = await open({ MINIO_BUCKETS: 'PLANTED', AUTH_AUDIENCES: 'PLANTED' })
  const text = gateway.logs.join('\n')
  expect(text).toContain(
    'MINIO_BUCKETS is not a variable of the gateway: MINIO_BUCKET may be meant',
  )
  expect(text).toContain('AUTH_AUDIENCE may be meant')
  expect(text).not.toContain('PLANTED')
})
