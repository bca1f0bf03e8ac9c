// Signs tokens for development and tests, in the three ways that the gateway can check: by an
// issuer that publishes its keys as a JWKS over HTTP, with a shared secret, and with a key pair.

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
  sub?: string | undefined
  /** Default 3600. A negative number makes an expired token. */
  expiresInSeconds?: number
  /** Any other claim. `exp`, `iss` and so on replace the defaults; `undefined` omits a claim. */
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

/** Publishes an RS256 and an ES256 key. Signs with RS256 unless the header names another `alg`. */
export async function openTokenIssuer({ port }: { port?: number } = {}) {
  const audience = 'presenton-gateway'
  let published = await createKeys()
  let signing = published

  const server = await openFaultServer({
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
  const { url: issuer, requests, injectFault, waitFor, down, up, close } = server
  const jwksUrl = `${issuer}/.well-known/jwks.json`

  const sign: Sign = async (claims, header = {}) => {
    const key = signing.find(({ alg }) => alg === (header.alg ?? 'RS256')) ?? signing[0]
    if (!key) throw new Error('the issuer has no keys')
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
    /** The gateway's environment variables for this issuer. */
    env: { AUTH_JWKS_URL: jwksUrl, AUTH_ISSUER: issuer, AUTH_AUDIENCE: audience },
    sign,
    /** Signs with new keys from now on. By default both old and new keys are published. */
    async rotate({ publishOld = true, publishNew = true } = {}) {
      signing = await createKeys()
      published = [...(publishNew ? signing : []), ...(publishOld ? published : [])]
    },
    requests,
    injectFault,
    waitFor,
    down,
    up,
    close,
  }
}

/** Signs with HS256 and, by default, a random secret. */
export function createSecretSigner(secret = randomBytes(32).toString('hex')) {
  const key = new TextEncoder().encode(secret)
  const sign: Sign = (claims, header = {}) => signWith(key, claims, { alg: 'HS256', ...header })
  return { secret, env: { AUTH_JWT_SECRET: secret }, sign }
}

/** Signs with a new key pair. The public key is given as PEM (SPKI). */
export async function createKeyPairSigner(alg: Algorithm = 'RS256') {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true })
  const publicKeyPem = await exportSPKI(publicKey)
  const sign: Sign = (claims, header = {}) => signWith(privateKey, claims, { alg, ...header })
  return { publicKeyPem, env: { AUTH_JWT_PUBLIC_KEY: publicKeyPem }, sign }
}

/** A token with `alg: none`, for tests that it is rejected. */
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
