// Parsers for the text of environment variables. An error says what is wrong and never quotes the
// text, which may be a secret.

import { createPublicKey } from 'node:crypto'
import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'

/** Turns the text of a variable into a value. @throws Error that continues "NAME …" */
type Parse<T> = (text: string) => T
/** The same for a variable that may be unset. */
export type Read<T> = (text: string | undefined) => T

export function required<T>(parse: Parse<T>): Read<T> {
  return (text) => (text === undefined ? reject('is required') : parse(text))
}

export function optional<T>(parse: Parse<T>): Read<T | undefined> {
  return (text) => (text === undefined ? undefined : parse(text))
}

export function or<T>(fallback: T, parse: Parse<T>): Read<T> {
  return (text) => (text === undefined ? fallback : parse(text))
}

function reject(message: string): never {
  throw new Error(message)
}

export function anyText(text: string): string {
  return /\p{Cc}/u.test(text) ? reject('must not contain control characters') : text
}

export function word(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : reject('must be visible ASCII without spaces')
}

/** A token of RFC 9110, section 5.6.2. */
export function headerName(text: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(text) ? text : reject('must be names of HTTP headers')
}

export function integer(min: number, max = 1_000_000_000): Parse<number> {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max
      ? value
      : reject(`must be a whole number from ${min} to ${max}`)
  }
}

/** At most 23 days, because setTimeout fires at once beyond 2^31 ms. */
export function seconds(min = 1): Parse<number> {
  return integer(min, 2_000_000)
}

export function boolean(text: string): boolean {
  return text === 'true' || (text === 'false' ? false : reject('must be true or false'))
}

export function oneOf<const T extends string>(choices: readonly T[]): Parse<T> {
  return (text) =>
    choices.find((choice) => choice === text) ?? reject(`must be one of ${choices.join(', ')}`)
}

export function listOf<T>(parse: Parse<T>): Parse<T[]> {
  return (text) => [
    ...new Set(
      text
        .split(',')
        .map((part) => part.trim())
        .filter(Boolean)
        .map(parse),
    ),
  ]
}

function toUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function parseUrl(text: string): URL {
  const parsed = toUrl(text)
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    reject('must be an http or https URL')
  if (parsed.username || parsed.password) reject('must not contain credentials')
  return parsed
}

export function url(text: string): string {
  return parseUrl(text).href
}

/** Returned without a slash at the end. */
export function baseUrl(text: string): string {
  const { href, search, hash } = parseUrl(text)
  return search || hash
    ? reject('must not contain a query or a fragment')
    : href.replace(/(?<!\/)\/+$/, '')
}

export function origin(text: string): string {
  const parsed = parseUrl(text)
  if (parsed.pathname !== '/' || parsed.search || parsed.hash)
    reject('must be an origin: scheme, host and port, without a path')
  return parsed.origin
}

export function appLink(text: string): string {
  const { pathname, search, hash } = parseUrl(text.replaceAll('{id}', 'an-id'))
  return text.includes('{id}') && `${pathname}${search}${hash}`.includes('an-id')
    ? text
    : reject('must contain {id} in its path, query or fragment')
}

export function databaseUrl(text: string): string {
  const protocol = toUrl(text)?.protocol ?? ''
  return /^postgres(ql)?:$/.test(protocol)
    ? text
    : reject('must be a postgres:// or postgresql:// URL')
}

export function absolutePath(text: string): string {
  return isAbsolute(text) ? text : reject('must be an absolute path')
}

export function bucketName(text: string): string {
  const isValid =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !text.includes('..') && isIP(text) === 0
  return isValid
    ? text
    : reject('must be an S3 bucket name: 3 to 63 lower-case letters, digits, dots and hyphens')
}

/** HS256 requires a key at least as long as its output (RFC 7518, section 3.2). */
export function secret(text: string): string {
  return Buffer.byteLength(text) >= 32 ? text : reject('must have at least 32 bytes')
}

/** A PEM (SPKI). `\n` may stand for line ends, because env files have one line for a value. */
export function publicKey(text: string): string {
  const pem = text.replaceAll('\\n', '\n').trim()
  // createPublicKey would also accept a private key, which must never be in this variable.
  if (!/^-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----$/.test(pem))
    reject('must be a public key as PEM (SPKI)')
  const key = tryCreateKey(pem) ?? reject('is not a readable public key')
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const isUsable =
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
    (key.asymmetricKeyType === 'ec' &&
      ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve))
  return isUsable
    ? pem
    : reject('must be RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519')
}

function tryCreateKey(pem: string) {
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}

/** Fastify's trustProxy: true, false, a number of hops, or the networks of trusted proxies. */
export function trustProxy(text: string): boolean | number | string[] {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^\d{1,2}$/.test(text)) return Number(text)
  const networks = text.split(',').map((part) => part.trim())
  return networks.every(isNetwork)
    ? networks
    : reject('must be true, false, a number of hops, or a list of addresses and CIDRs')
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const maxBits = { 4: 32, 6: 128 }[isIP(address)] ?? 0
  return (
    maxBits > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits))
  )
}
