// Attacks with tokens: every way we know to make one that nobody issued. Each is made against one
// kind of key, signed by hand, so that nothing is left out that a library would refuse to sign.

import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'

type Json = Record<string, unknown>

/** What the forger knows: all that is public, and two key pairs of their own. */
export interface ForgerKnowledge {
  issuer: string
  audience: string
  /** PEM of the gateway's public key. */
  publicKeyPem: string
  /** Of the issuer's published keys. */
  kid: string
  /** Where the forger's own key set lies. */
  forgerKeysUrl: string
  /**
   * Signed by the real issuer, for somebody else's service or with claims that it should not have.
   */
  signByIssuer: (claims: Json, header?: Json) => Promise<string>
  /** The same of the gateway with a public key, and of the one with a secret. */
  signByKeyPair: (claims: Json, header?: Json) => Promise<string>
  signBySecret: (claims: Json, header?: Json) => Promise<string>
}

export interface ForgedToken {
  name: string
  /** Which gateway is attacked: one with a key set, with a public key, or with a secret. */
  gateway: 'key set' | 'public key' | 'secret'
  token: (forge: ForgerKnowledge) => string | Promise<string>
}

export const forgerKeys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const forgerEcKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
export const forgerJwk = forgerKeys.publicKey.export({ format: 'jwk' })

const nowSeconds = () => Math.floor(Date.now() / 1000)
const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

function claimsOf({ issuer, audience }: ForgerKnowledge, more: Json = {}): Json {
  return { sub: 'victim', iss: issuer, aud: audience, exp: nowSeconds() + 600, ...more }
}

function unsigned(header: Json, claims: Json, signature = ''): string {
  return `${encode(header)}.${encode(claims)}.${signature}`
}

function hmac(key: string | Buffer, header: Json, claims: Json, hash = 'sha256'): string {
  const text = `${encode(header)}.${encode(claims)}`
  return `${text}.${createHmac(hash, key).update(text).digest('base64url')}`
}

function rsa(header: Json, claims: Json, key: KeyObject = forgerKeys.privateKey): string {
  const text = `${encode(header)}.${encode(claims)}`
  return `${text}.${signBytes('sha256', Buffer.from(text), key).toString('base64url')}`
}

/** The same attack on each of the three kinds. */
function everywhere(name: string, token: ForgedToken['token']): ForgedToken[] {
  return (['key set', 'public key', 'secret'] as const).map((gateway) => ({
    name: `${name} (${gateway})`,
    gateway,
    token,
  }))
}

const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')

/** As the real issuer of each kind would sign it. */
function real(
  gateway: ForgedToken['gateway'],
  { signByIssuer, signByKeyPair, signBySecret }: ForgerKnowledge,
) {
  return { 'key set': signByIssuer, 'public key': signByKeyPair, secret: signBySecret }[gateway]
}

function misissued(name: string, claims: Json | (() => Json)): ForgedToken[] {
  return (['key set', 'public key', 'secret'] as const).map((gateway) => ({
    name: `${name} (${gateway})`,
    gateway,
    token: (forge) =>
      real(
        gateway,
        forge,
      )({ ...claimsOf(forge), ...(typeof claims === 'function' ? claims() : claims) }),
  }))
}

export const forgedTokens: ForgedToken[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg) =>
    everywhere(`alg "${alg}" and no signature`, (forge) =>
      unsigned({ alg, kid: forge.kid }, claimsOf(forge)),
    ),
  ),
  ...everywhere('no alg at all', (forge) => unsigned({ kid: forge.kid }, claimsOf(forge), 'x')),
  ...everywhere('alg none with a signature', (forge) =>
    unsigned({ alg: 'none' }, claimsOf(forge), encode('signed')),
  ),
  ...everywhere('an alg that is a list', (forge) =>
    rsa({ alg: ['RS256'], kid: forge.kid }, claimsOf(forge)),
  ),
  ...['HS256', 'HS384', 'HS512'].flatMap((alg): ForgedToken[] => {
    const hash = alg.replace('HS', 'sha')
    return [
      {
        name: `${alg} with the public key's PEM`,
        gateway: 'public key',
        token: (f) => hmac(f.publicKeyPem, { alg }, claimsOf(f), hash),
      },
      {
        name: `${alg} with the PEM without its last line end`,
        gateway: 'public key',
        token: (f) => hmac(f.publicKeyPem.trim(), { alg }, claimsOf(f), hash),
      },
      {
        name: `${alg} with the public key's DER`,
        gateway: 'public key',
        token: (f) => hmac(der(f.publicKeyPem), { alg }, claimsOf(f), hash),
      },
      {
        name: `${alg} with a published key id`,
        gateway: 'key set',
        token: (f) => hmac(f.kid, { alg, kid: f.kid }, claimsOf(f), hash),
      },
    ]
  }),
  {
    name: 'HMAC with an empty secret',
    gateway: 'secret',
    token: (f) => hmac('', { alg: 'HS256' }, claimsOf(f)),
  },
  {
    name: 'HMAC with a secret from a tutorial',
    gateway: 'secret',
    token: (f) => hmac('your-256-bit-secret', { alg: 'HS256' }, claimsOf(f)),
  },
  {
    name: 'RS256 where a secret is expected',
    gateway: 'secret',
    token: (f) => rsa({ alg: 'RS256' }, claimsOf(f)),
  },
  ...everywhere("a stranger's key", (f) => rsa({ alg: 'RS256', kid: f.kid }, claimsOf(f))),
  ...everywhere("a stranger's key and no key id", (f) => rsa({ alg: 'RS256' }, claimsOf(f))),
  ...everywhere("a stranger's key under its own key id", (f) =>
    rsa({ alg: 'RS256', kid: 'mine' }, claimsOf(f)),
  ),
  ...['../../etc/passwd', "' or 1=1 --", '__proto__', 'constructor', '', 'x'.repeat(2_000)].map(
    (kid): ForgedToken => ({
      name: `the key id ${kid.slice(0, 20)}`,
      gateway: 'key set',
      token: (f) => rsa({ alg: 'RS256', kid }, claimsOf(f)),
    }),
  ),
  ...[7, null, {}, []].map(
    (kid): ForgedToken => ({
      name: `a key id that is ${JSON.stringify(kid)}`,
      gateway: 'key set',
      token: (f) => rsa({ alg: 'RS256', kid }, claimsOf(f)),
    }),
  ),
  {
    name: 'the key of another algorithm',
    gateway: 'key set',
    token: (f) => rsa({ alg: 'ES256', kid: f.kid }, claimsOf(f), forgerEcKeys.privateKey),
  },
  ...everywhere('a key set of its own (jku)', (f) =>
    rsa({ alg: 'RS256', kid: 'mine', jku: f.forgerKeysUrl }, claimsOf(f)),
  ),
  ...everywhere('a key of its own inside (jwk)', (f) =>
    rsa({ alg: 'RS256', jwk: forgerJwk }, claimsOf(f)),
  ),
  ...everywhere('a certificate elsewhere (x5u)', (f) =>
    rsa({ alg: 'RS256', x5u: f.forgerKeysUrl }, claimsOf(f)),
  ),
  ...everywhere('a certificate inside (x5c)', (f) =>
    rsa({ alg: 'RS256', x5c: [encode('certificate')] }, claimsOf(f)),
  ),
  ...everywhere('an extension it insists on', (f) =>
    rsa({ alg: 'RS256', kid: f.kid, crit: ['b64'], b64: false }, claimsOf(f)),
  ),
  ...misissued('expired', () => ({ exp: nowSeconds() - 31 })),
  ...misissued('expired long ago', { exp: 1 }),
  ...misissued('without an end', { exp: undefined, expiresInSeconds: Number.NaN }),
  ...misissued('not valid yet', () => ({ nbf: nowSeconds() + 60 })),
  ...misissued('of another issuer', { iss: 'https://issuer.example' }),
  ...misissued('of an issuer that begins alike', { iss: 'http://127.0.0.1' }),
  ...misissued('without an issuer', { iss: undefined }),
  ...misissued('of two issuers', { iss: ['presenton-gateway', 'https://issuer.example'] }),
  ...misissued('for another audience', { aud: 'another-service' }),
  ...misissued('for several other audiences', {
    aud: ['another-service', 'presenton-gateway-staging'],
  }),
  ...misissued('for no audience', { aud: [] }),
  ...misissued('without an audience', { aud: undefined }),
  ...misissued('without a user', { sub: undefined }),
  ...misissued('with an empty user', { sub: '' }),
  ...misissued('with a user of many lines', { sub: 'victim\r\nadmin' }),
  ...misissued('with a user too long', { sub: 'v'.repeat(256) }),
  ...misissued('with a list of users', { sub: ['victim'] }),
  ...misissued('too large', { filler: 'x'.repeat(13_000) }),
  ...everywhere('changed after it was signed', async (f) => {
    const [header, , signature] = (await f.signByIssuer(claimsOf(f, { sub: 'mallory' }))).split('.')
    return `${header}.${encode(claimsOf(f))}.${signature}`
  }),
  ...everywhere(
    'encrypted',
    () =>
      `${encode({ alg: 'dir', enc: 'A128GCM' })}..${encode('iv')}.${encode('text')}.${encode('tag')}`,
  ),
  ...everywhere('two dots', () => '..'),
  ...everywhere('no JSON', () => 'e30.e30.e30'),
  ...everywhere('deep JSON', (f) =>
    unsigned(
      { alg: 'RS256' },
      { ...claimsOf(f), x: JSON.parse(`${'['.repeat(800)}${']'.repeat(800)}`) },
      'x',
    ),
  ),
]
