// A token issuer for development and tests: signs with keys of its own and publishes them as a JWKS
// over HTTP; and signers without a server, for the gateway's other two ways to check a token (a
// shared secret, a public key).

import { randomBytes } from 'node:crypto'
import {
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTHeaderParameters,
  SignJWT,
} from 'jose'
import { openFaultServer } from './fault-server.ts'

export interface Claims {
  sub?: string
  /** Negative: already expired. Default 3600. */
  expiresInSeconds?: number
  /**
   * Any other claim; `exp`, `iss` and so on replace what would be set, and `undefined` leaves one
   * out.
   */
  [claim: string]: unknown
}

export type Sign = (claims: Claims, header?: Partial<JWTHeaderParameters>) => Promise<string>

export type TokenIssuer = Awaited<ReturnType<typeof openTokenIssuer>>

type Algorithm = 'RS256' | 'ES256' | 'EdDSA' | 'PS256'

interface Key {
  kid: string
  alg: Algorithm
  privateKey: CryptoKey
  publicKey: CryptoKey
}

/**
 * Publishes an RS256 and an ES256 key; signs with the first unless the header names another `alg`.
 */
export async function openTokenIssuer({ port }: { port?: number } = {}) {
  const audience = 'presenton-gateway'
  let published = await createKeys()
  let signing = published

  const front = await openFaultServer({
    port,
    async handle(request, response) {
      if (request.url !== '/.well-known/jwks.json') return void response.writeHead(404).end()
      const keys = await Promise.all(
        published.map(async ({ kid, alg, publicKey }) => ({
          ...(await exportJWK(publicKey)),
          kid,
          alg,
          use: 'sig',
        })),
      )
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ keys }))
    },
  })
  const { url: issuer, requests, injectFault, waitFor, down, up, close } = front
  const jwksUrl = `${issuer}/.well-known/jwks.json`

  const sign: Sign = async (claims, header = {}) => {
    const key = signing.find(({ alg }) => alg === (header.alg ?? 'RS256')) ?? signing[0]
    if (!key) throw new Error('no key')
    return signWith(
      key.privateKey,
      { iss: issuer, aud: audience, ...claims },
      { alg: key.alg, kid: key.kid, ...header },
    )
  }

  return {
    jwksUrl,
    issuer,
    audience,
    /** The gateway's variables for this issuer. */
    env: { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience },
    sign,
    /**
     * Signs with new keys from now on. The old ones stay published unless `forget`; the new ones
     * unless `unpublished`.
     */
    async rotate({
      forget = false,
      unpublished = false,
    }: {
      forget?: boolean
      unpublished?: boolean
    } = {}) {
      signing = await createKeys()
      published = [...(unpublished ? [] : signing), ...(forget ? [] : published)]
    },
    ...{ requests, injectFault, waitFor, down, up, close },
  }
}

/** HS256 with a fresh secret. */
export function createSecretSigner(secret = randomBytes(32).toString('hex')) {
  const key = new TextEncoder().encode(secret)
  const sign: Sign = (claims, header = {}) => signWith(key, claims, { alg: 'HS256', ...header })
  return { secret, env: { AUTH_JWT_SECRET: secret }, sign }
}

/** A fresh pair of keys, the public one as PEM (SPKI). */
export async function createKeyPairSigner(alg: Algorithm = 'RS256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const publicKeyPem = await exportSPKI(publicKey)
  const sign: Sign = (claims, header = {}) => signWith(privateKey, claims, { alg, ...header })
  return { publicKeyPem, env: { AUTH_JWT_PUBLIC_KEY: publicKeyPem }, sign }
}

/** A token that claims to need no signature, for the test that it is refused. */
export function createUnsignedToken({ expiresInSeconds = 3600, ...claims }: Claims): string {
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url')
  return `${encode({ alg: 'none', typ: 'JWT' })}.${encode({ exp: now() + expiresInSeconds, ...claims })}.`
}

function signWith(
  key: CryptoKey | Uint8Array,
  { expiresInSeconds = 3600, ...claims }: Claims,
  header: JWTHeaderParameters,
) {
  const payload = Object.entries({ iat: now(), exp: now() + expiresInSeconds, ...claims }).filter(
    ([, value]) => value !== undefined,
  )
  return new SignJWT(Object.fromEntries(payload)).setProtectedHeader(header).sign(key)
}

function createKeys(): Promise<Key[]> {
  const algorithms: Algorithm[] = ['RS256', 'ES256']
  return Promise.all(
    algorithms.map(async (alg) => ({
      kid: `${alg.toLowerCase()}-${randomBytes(4).toString('hex')}`,
      alg,
      ...(await generateKeyPair(alg, { extractable: true })),
    })),
  )
}

const now = () => Math.floor(Date.now() / 1000)
