// Forged tokens: tokens that no trusted issuer would sign for the gateway. They are built by hand,
// because a library refuses to sign many of them.

import { createHmac, generateKeyPairSync, type KeyObject, sign as signBytes } from 'node:crypto'

type Json = Record<string, unknown>
type SignClaims = (claims: Json, header?: Json) => Promise<string>

/** The kind of key that the attacked gateway verifies tokens with. */
export type KeyKind = 'key set' | 'public key' | 'secret'

/** Public data, and signers for tokens of a trusted issuer with the wrong claims. */
export interface ForgerKnowledge {
  issuer: string
  audience: string
  /** PEM of the gateway's public key. */
  publicKeyPem: string
  /** A key id of the issuer's published keys. */
  kid: string
  /** URL of a key set with the forger's own key. */
  forgerKeysUrl: string
  signByIssuer: SignClaims
  signByKeyPair: SignClaims
  signBySecret: SignClaims
}

export interface ForgedToken {
  name: string
  keyKind: KeyKind
  token: (forger: ForgerKnowledge) => string | Promise<string>
}

const keyKinds = ['key set', 'public key', 'secret'] as const
const forgerKeys = generateKeyPairSync('rsa', { modulusLength: 2048 })
const forgerEcKeys = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
export const forgerJwk = forgerKeys.publicKey.export({ format: 'jwk' })

const nowSeconds = () => Math.floor(Date.now() / 1000)
const encode = (part: unknown) =>
  Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

function victimClaims({ issuer, audience }: ForgerKnowledge, overrides: Json = {}): Json {
  return { sub: 'victim', iss: issuer, aud: audience, exp: nowSeconds() + 600, ...overrides }
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

const der = (pem: string) => Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ''), 'base64')

/** The same attack on a gateway with each kind of key. */
function forEachKeyKind(name: string, token: ForgedToken['token']): ForgedToken[] {
  return keyKinds.map((keyKind) => ({ name: `${name} (${keyKind})`, keyKind, token }))
}

/** Signed with the trusted key of each kind, but with claims that the gateway must refuse. */
function withClaims(name: string, claims: Json | (() => Json)): ForgedToken[] {
  return keyKinds.map((keyKind) => ({
    name: `${name} (${keyKind})`,
    keyKind,
    token: (forger) => {
      const signers: Record<KeyKind, SignClaims> = {
        'key set': forger.signByIssuer,
        'public key': forger.signByKeyPair,
        secret: forger.signBySecret,
      }
      return signers[keyKind]({
        ...victimClaims(forger),
        ...(typeof claims === 'function' ? claims() : claims),
      })
    },
  }))
}

export const forgedTokens: ForgedToken[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg) =>
    forEachKeyKind(`alg "${alg}" and no signature`, (forger) =>
      unsigned({ alg, kid: forger.kid }, victimClaims(forger)),
    ),
  ),
  ...forEachKeyKind('no alg', (forger) => unsigned({ kid: forger.kid }, victimClaims(forger), 'x')),
  ...forEachKeyKind('alg none with a signature', (forger) =>
    unsigned({ alg: 'none' }, victimClaims(forger), encode('signed')),
  ),
  ...forEachKeyKind('an alg that is a list', (forger) =>
    rsa({ alg: ['RS256'], kid: forger.kid }, victimClaims(forger)),
  ),
  ...['HS256', 'HS384', 'HS512'].flatMap((alg): ForgedToken[] => {
    const hash = alg.replace('HS', 'sha')
    return [
      {
        name: `${alg} with the public key's PEM`,
        keyKind: 'public key',
        token: (forger) => hmac(forger.publicKeyPem, { alg }, victimClaims(forger), hash),
      },
      {
        name: `${alg} with the public key's PEM without the final line end`,
        keyKind: 'public key',
        token: (forger) => hmac(forger.publicKeyPem.trim(), { alg }, victimClaims(forger), hash),
      },
      {
        name: `${alg} with the public key's DER`,
        keyKind: 'public key',
        token: (forger) => hmac(der(forger.publicKeyPem), { alg }, victimClaims(forger), hash),
      },
      {
        name: `${alg} with a published key id`,
        keyKind: 'key set',
        token: (forger) => hmac(forger.kid, { alg, kid: forger.kid }, victimClaims(forger), hash),
      },
    ]
  }),
  {
    name: 'HMAC with an empty secret',
    keyKind: 'secret',
    token: (forger) => hmac('', { alg: 'HS256' }, victimClaims(forger)),
  },
  {
    name: 'HMAC with a secret from a tutorial',
    keyKind: 'secret',
    token: (forger) => hmac('your-256-bit-secret', { alg: 'HS256' }, victimClaims(forger)),
  },
  {
    name: 'RS256 for a gateway that expects HS256',
    keyKind: 'secret',
    token: (forger) => rsa({ alg: 'RS256' }, victimClaims(forger)),
  },
  ...forEachKeyKind("the forger's key under the published key id", (forger) =>
    rsa({ alg: 'RS256', kid: forger.kid }, victimClaims(forger)),
  ),
  ...forEachKeyKind("the forger's key without a key id", (forger) =>
    rsa({ alg: 'RS256' }, victimClaims(forger)),
  ),
  ...forEachKeyKind("the forger's key under an unknown key id", (forger) =>
    rsa({ alg: 'RS256', kid: 'mine' }, victimClaims(forger)),
  ),
  ...['../../etc/passwd', "' or 1=1 --", '__proto__', 'constructor', '', 'x'.repeat(2_000)].map(
    (kid): ForgedToken => ({
      name: `the key id "${kid.slice(0, 20)}"`,
      keyKind: 'key set',
      token: (forger) => rsa({ alg: 'RS256', kid }, victimClaims(forger)),
    }),
  ),
  ...[7, null, {}, []].map(
    (kid): ForgedToken => ({
      name: `a key id that is ${JSON.stringify(kid)}`,
      keyKind: 'key set',
      token: (forger) => rsa({ alg: 'RS256', kid }, victimClaims(forger)),
    }),
  ),
  {
    name: 'a key of another algorithm',
    keyKind: 'key set',
    token: (forger) =>
      rsa({ alg: 'ES256', kid: forger.kid }, victimClaims(forger), forgerEcKeys.privateKey),
  },
  ...forEachKeyKind('the URL of a key set in the header (jku)', (forger) =>
    rsa({ alg: 'RS256', kid: 'mine', jku: forger.forgerKeysUrl }, victimClaims(forger)),
  ),
  ...forEachKeyKind('a key in the header (jwk)', (forger) =>
    rsa({ alg: 'RS256', jwk: forgerJwk }, victimClaims(forger)),
  ),
  ...forEachKeyKind('the URL of a certificate in the header (x5u)', (forger) =>
    rsa({ alg: 'RS256', x5u: forger.forgerKeysUrl }, victimClaims(forger)),
  ),
  ...forEachKeyKind('a certificate in the header (x5c)', (forger) =>
    rsa({ alg: 'RS256', x5c: [encode('certificate')] }, victimClaims(forger)),
  ),
  ...forEachKeyKind('a critical extension (crit)', (forger) =>
    rsa({ alg: 'RS256', kid: forger.kid, crit: ['b64'], b64: false }, victimClaims(forger)),
  ),
  ...withClaims('expired', () => ({ exp: nowSeconds() - 31 })),
  ...withClaims('expired long ago', { exp: 1 }),
  ...withClaims('without an expiry', { exp: undefined, expiresInSeconds: Number.NaN }),
  ...withClaims('not valid yet', () => ({ nbf: nowSeconds() + 60 })),
  ...withClaims('from another issuer', { iss: 'https://issuer.example' }),
  ...withClaims('from an issuer with the same prefix', { iss: 'http://127.0.0.1' }),
  ...withClaims('without an issuer', { iss: undefined }),
  ...withClaims('from two issuers', { iss: ['presenton-gateway', 'https://issuer.example'] }),
  ...withClaims('for another audience', { aud: 'another-service' }),
  ...withClaims('for several other audiences', {
    aud: ['another-service', 'presenton-gateway-staging'],
  }),
  ...withClaims('for an empty list of audiences', { aud: [] }),
  ...withClaims('without an audience', { aud: undefined }),
  ...withClaims('without a subject', { sub: undefined }),
  ...withClaims('with an empty subject', { sub: '' }),
  ...withClaims('with line ends in the subject', { sub: 'victim\r\nadmin' }),
  ...withClaims('with a subject over 255 characters', { sub: 'v'.repeat(256) }),
  ...withClaims('with a list as subject', { sub: ['victim'] }),
  ...withClaims('too large', { filler: 'x'.repeat(13_000) }),
  ...forEachKeyKind('changed after signing', async (forger) => {
    const [header, , signature] = (
      await forger.signByIssuer(victimClaims(forger, { sub: 'mallory' }))
    ).split('.')
    return `${header}.${encode(victimClaims(forger))}.${signature}`
  }),
  ...forEachKeyKind(
    'encrypted',
    () =>
      `${encode({ alg: 'dir', enc: 'A128GCM' })}..${encode('iv')}.${encode('text')}.${encode('tag')}`,
  ),
  ...forEachKeyKind('two dots and nothing else', () => '..'),
  ...forEachKeyKind('parts that are not a signed JWT', () => 'e30.e30.e30'),
  ...forEachKeyKind('deeply nested claims', (forger) =>
    unsigned(
      { alg: 'RS256' },
      { ...victimClaims(forger), x: JSON.parse(`${'['.repeat(800)}${']'.repeat(800)}`) },
      'x',
    ),
  ),
]
