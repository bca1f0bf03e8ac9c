// Key sets as identity providers publish them, and responses that are none, over real sockets.

import { generateKeyPairSync, type KeyObject } from 'node:crypto'
import { type JWK, SignJWT } from 'jose'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { Problem } from '../domain/problem.ts'
import { type FaultServer, openFaultServer } from '../sandbox/fault-server.ts'
import { createTroubles } from '../telemetry/troubles.ts'
import { createKeySetReports } from './key-set-troubles.ts'
import { createTokenVerifier } from './tokens.ts'

interface Served {
  status?: number
  headers?: Record<string, string>
  body: string
}

let server: FaultServer
let served: Served
beforeAll(async () => {
  server = await openFaultServer({
    handle: (_request, response) =>
      void response.writeHead(served.status ?? 200, served.headers ?? {}).end(served.body),
  })
})
afterAll(() => server.close())
beforeEach(() => void server.requests.splice(0))

const pairs = {
  rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  other: generateKeyPairSync('rsa', { modulusLength: 2048 }),
  weak: generateKeyPairSync('rsa', { modulusLength: 1024 }),
  p256: generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  p384: generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  ed25519: generateKeyPairSync('ed25519'),
  x25519: generateKeyPairSync('x25519'),
}
type Pair = keyof typeof pairs

const jwk = (pair: Pair, members: Record<string, unknown> = {}): JWK => ({
  ...(pairs[pair].publicKey.export({ format: 'jwk' }) as JWK),
  ...members,
})
const privateJwk = (pair: Pair, members: Record<string, unknown> = {}): JWK => ({
  ...(pairs[pair].privateKey.export({ format: 'jwk' }) as JWK),
  ...members,
})
const setOf = (...keys: unknown[]): Served => ({ body: JSON.stringify({ keys }) })

const sign = (pair: Pair, header: { alg: string; [name: string]: unknown }) =>
  new SignJWT({ sub: 'alice' })
    .setProtectedHeader(header)
    .setExpirationTime('1h')
    .sign(pairs[pair].privateKey as KeyObject)

/** A gateway's view of the issuer: its tokens, and what /health would show. */
function openIssuer() {
  const troubles = createTroubles({ logger: { warn: vi.fn(), info: vi.fn() } })
  const { onLoaded, onFailed } = createKeySetReports(troubles)
  const auth = {
    keySources: [{ kind: 'jwks', url: `${server.url}/keys` } as const],
    issuer: undefined,
    audience: [],
  }
  let offsetMs = 0
  const verify = createTokenVerifier(auth, {
    onKeysLoaded: onLoaded,
    onKeysFailed: onFailed,
    now: () => Date.now() + offsetMs,
  })
  return {
    trouble: () => troubles.of('issuer'),
    pass: (ms: number) => {
      offsetMs += ms
    },
    result: (token: string) =>
      verify(token).then(
        ({ userId }) => userId,
        (error: unknown) => (error instanceof Problem ? error.code : String(error)),
      ),
  }
}

const x5c = ['MIIBszCCARygAwIBAgIEX-not-read']

const goodSets: [string, Served, Pair, { alg: string; [name: string]: unknown }][] = [
  [
    'Keycloak: a key for encryption beside the one for signatures',
    setOf(
      jwk('other', { kid: 'enc', use: 'enc', alg: 'RSA-OAEP', x5c, 'x5t#S256': 'abc' }),
      jwk('rsa', { kid: 'sig', use: 'sig', alg: 'RS256', x5c, 'x5t#S256': 'abc' }),
    ),
    'rsa',
    { alg: 'RS256', kid: 'sig', typ: 'JWT' },
  ],
  [
    'Entra: keys without alg, with x5t, x5c and an issuer',
    setOf(
      jwk('other', { kid: 'a', use: 'sig', x5t: 'a', x5c, issuer: 'https://login.example/x' }),
      jwk('rsa', { kid: 'b', use: 'sig', x5t: 'b', x5c, issuer: 'https://login.example/x' }),
    ),
    'rsa',
    { alg: 'RS256', kid: 'b', x5t: 'b', typ: 'JWT' },
  ],
  [
    'Auth0: an access token of type at+jwt',
    setOf(jwk('rsa', { kid: 'k', use: 'sig', alg: 'RS256', x5t: 'k', x5c })),
    'rsa',
    { alg: 'RS256', kid: 'k', typ: 'at+jwt' },
  ],
  [
    'Supabase: EC with key_ops and ext',
    setOf(jwk('p256', { kid: 's', use: 'sig', alg: 'ES256', key_ops: ['verify'], ext: true })),
    'p256',
    { alg: 'ES256', kid: 's' },
  ],
  [
    'Cognito: two keys of the same algorithm',
    setOf(
      jwk('other', { kid: 'id', alg: 'RS256', use: 'sig' }),
      jwk('rsa', { kid: 'access', alg: 'RS256', use: 'sig' }),
    ),
    'rsa',
    { alg: 'RS256', kid: 'access' },
  ],
  [
    'Teleport: the same key with and without an id',
    setOf(
      jwk('rsa', { kid: 't', use: 'sig', alg: 'RS256' }),
      jwk('rsa', { kid: '', alg: 'RS256' }),
    ),
    'rsa',
    { alg: 'RS256' },
  ],
  [
    'the same key twice, with the same id',
    setOf(jwk('rsa', { kid: 'k' }), jwk('rsa', { kid: 'k' })),
    'rsa',
    { alg: 'RS256', kid: 'k' },
  ],
  [
    'different keys with the same id',
    setOf(jwk('other', { kid: 'k' }), jwk('rsa', { kid: 'k' })),
    'rsa',
    { alg: 'RS256', kid: 'k' },
  ],
  [
    'a short and a broken key with the same id before the right one',
    setOf(
      jwk('weak', { kid: 'k' }),
      { kty: 'RSA', kid: 'k', n: 'AQAB', e: '' },
      { kty: 'RSA', kid: 'k' },
      jwk('rsa', { kid: 'k' }),
    ),
    'rsa',
    { alg: 'RS256', kid: 'k' },
  ],
  [
    'EC and OKP beside RSA',
    setOf(
      jwk('rsa', { kid: 'r' }),
      jwk('p256', { kid: 'e' }),
      jwk('p384', { kid: 'f' }),
      jwk('ed25519', { kid: 'o' }),
      jwk('x25519', { kid: 'x', use: 'enc' }),
    ),
    'ed25519',
    { alg: 'EdDSA', kid: 'o' },
  ],
  [
    'keys of unknown types beside RSA, and a token without an id',
    setOf(
      { kty: 'AKP', alg: 'ML-DSA-44', pub: 'AAAA' },
      { kty: 'EC', crv: 'secp256k1', x: 'AAAA', y: 'AAAA' },
      { kty: 'what', kid: 7 },
      jwk('rsa'),
    ),
    'rsa',
    { alg: 'PS256' },
  ],
  [
    'a wrong content type',
    { ...setOf(jwk('rsa')), headers: { 'content-type': 'text/html; charset=latin1' } },
    'rsa',
    { alg: 'RS256' },
  ],
  ['a byte order mark', { body: `\ufeff${setOf(jwk('rsa')).body}` }, 'rsa', { alg: 'RS256' }],
  [
    'a thousand keys',
    setOf(
      ...Array.from({ length: 1_000 }, (_, i) => jwk('other', { kid: `k${i}` })),
      jwk('rsa', { kid: 'mine' }),
    ),
    'rsa',
    { alg: 'RS256', kid: 'mine' },
  ],
  [
    'URLs of other keys in the token, which are not fetched',
    setOf(jwk('rsa', { kid: 'k' })),
    'rsa',
    { alg: 'RS256', kid: 'k', jku: 'http://127.0.0.1:1/keys', x5u: 'http://127.0.0.1:1/cert' },
  ],
]

test.each(goodSets)('accepts tokens for %s', async (_name, set, pair, header) => {
  served = set
  const { result, trouble } = openIssuer()
  expect(await result(await sign(pair, header))).toBe('alice')
  expect(trouble()).toBeUndefined()
  expect(server.requests).toHaveLength(1)
})

const header = { alg: 'RS256', kid: 'k' }

const uselessSets: [string, Served, RegExp][] = [
  ['an empty set', setOf(), /empty.*AUTH_JWT_SECRET/],
  ['only a key for encryption', setOf(jwk('rsa', { kid: 'k', use: 'enc' })), /no public key/],
  ['only a shared secret', setOf({ kty: 'oct', kid: 'k', k: 'c2VjcmV0' }), /no public key/],
  ['a private key', setOf(privateJwk('rsa', { kid: 'k' })), /private key/],
  ['a private EC key', setOf(jwk('p256'), privateJwk('p384', { kid: 'k' })), /private key/],
]

test.each(uselessSets)('refuses the token and tells of %s', async (_name, set, detail) => {
  served = set
  const { result, trouble } = openIssuer()
  expect(await result(await sign('rsa', header))).toBe('AUTHENTICATION_FAILED')
  expect(trouble()).toMatchObject({
    reason: 'misconfigured',
    variable: 'AUTH_JWKS_URL',
    detail: expect.stringMatching(detail),
  })
})

const noSets: [string, Served, string, RegExp][] = [
  [
    'a redirect',
    { status: 302, headers: { location: '/other' }, body: '' },
    'misconfigured',
    /redirect/,
  ],
  [
    'a permanent redirect',
    { status: 308, headers: { location: '/x' }, body: '' },
    'misconfigured',
    /redirect/,
  ],
  ['404', { status: 404, body: '' }, 'misconfigured', /404/],
  ['401', { status: 401, body: '' }, 'access_denied', /401/],
  ['429', { status: 429, body: '' }, 'limit_reached', /429/],
  ['503', { status: 503, body: '' }, 'failing', /503/],
  ['204', { status: 204, body: '' }, 'failing', /204/],
  [
    'the discovery document',
    { body: '{"issuer":"https://a.example","jwks_uri":"https://a.example/keys"}' },
    'misconfigured',
    /jwks_uri/,
  ],
  ['a page', { body: '<!doctype html><title>Sign in</title>' }, 'misconfigured', /something else/],
  ['nothing', { body: '' }, 'misconfigured', /something else/],
  ['a list of keys', { body: JSON.stringify([jwk('rsa')]) }, 'misconfigured', /something else/],
  ['a single key', { body: JSON.stringify(jwk('rsa')) }, 'misconfigured', /something else/],
  ['keys that are no objects', setOf(null, 'x'), 'misconfigured', /malformed/],
  [
    'over 1 MiB',
    { body: JSON.stringify({ keys: [], x: 'x'.repeat(1_100_000) }) },
    'misconfigured',
    /1 MiB/,
  ],
]

describe('where the URL serves no key set', () => {
  test.each(noSets)('returns 503 and tells of %s', async (_name, response, reason, detail) => {
    served = response
    const { result, trouble, pass } = openIssuer()
    const token = await sign('rsa', header)
    expect(await result(token)).toBe('AUTHENTICATION_UNAVAILABLE')
    expect(trouble()).toMatchObject({ reason, detail: expect.stringMatching(detail) })
    expect(trouble()?.variable).toBe('AUTH_JWKS_URL')
    served = setOf(jwk('rsa', { kid: 'k' }))
    pass(1_001)
    expect(await result(token)).toBe('alice')
    expect(trouble()).toBeUndefined()
  })
})

test('recovers within 30 seconds when an empty key set gets its keys', async () => {
  served = setOf()
  const { result, trouble, pass } = openIssuer()
  const token = await sign('rsa', header)
  expect(await result(token)).toBe('AUTHENTICATION_FAILED')
  served = setOf(jwk('rsa', { kid: 'k' }))
  pass(30_001)
  expect(await result(token)).toBe('alice')
  expect(trouble()).toBeUndefined()
})
