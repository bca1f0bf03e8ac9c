// How the text of an environment variable becomes a value. Apart from config.ts, so that the table
// there reads as a table. What is wrong is said without quoting the text: it may be a secret.

import { createPublicKey } from 'node:crypto'
import { isIP } from 'node:net'
import { isAbsolute } from 'node:path'

/** Turns a variable's text into a value, or throws an Error that says what is wrong with it. */
type Parse<T> = (text: string) => T
/** The same where the variable may not be set. */
export type Read<T> = (text: string | undefined) => T

export function required<T>(parse: Parse<T>): Read<T> {
  return (text) => (text === undefined ? wrong('is required') : parse(text))
}

export function optional<T>(parse: Parse<T>): Read<T | undefined> {
  return (text) => (text === undefined ? undefined : parse(text))
}

export function or<T>(fallback: T, parse: Parse<T>): Read<T> {
  return (text) => (text === undefined ? fallback : parse(text))
}

function wrong(what: string): never {
  throw new Error(what)
}

export function anyText(text: string): string {
  return /\p{Cc}/u.test(text) ? wrong('must not contain control characters') : text
}

export function word(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : wrong('must be visible ASCII without spaces')
}

export function integer(min: number, max = 1_000_000_000): Parse<number> {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max
      ? value
      : wrong(`must be a whole number from ${min} to ${max}`)
  }
}

/** At most 23 days: a longer setTimeout would fire at once. */
export function seconds(min = 1): Parse<number> {
  return integer(min, 2_000_000)
}

export function boolean(text: string): boolean {
  return text === 'true' || (text === 'false' ? false : wrong('must be true or false'))
}

export function oneOf<const T extends string>(choices: readonly T[]): Parse<T> {
  return (text) =>
    choices.find((choice) => choice === text) ?? wrong(`must be one of ${choices.join(', ')}`)
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

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

function parsedUrl(text: string): URL {
  const parsed = urlOf(text)
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    wrong('must be an http or https URL')
  if (parsed.username || parsed.password) wrong('must not contain credentials')
  return parsed
}

export function url(text: string): string {
  return parsedUrl(text).href
}

/** Without the slash at the end, so that paths can be put after it. */
export function baseUrl(text: string): string {
  const { href, search, hash } = parsedUrl(text)
  return search || hash ? wrong('must not contain a query or a fragment') : href.replace(/\/+$/, '')
}

export function origin(text: string): string {
  const parsed = parsedUrl(text)
  if (parsed.pathname !== '/' || parsed.search || parsed.hash)
    wrong('must be an origin: scheme, host and port, without a path')
  return parsed.origin
}

export function appLink(text: string): string {
  const { pathname, search, hash } = parsedUrl(text.replaceAll('{id}', 'an-id'))
  return text.includes('{id}') && `${pathname}${search}${hash}`.includes('an-id')
    ? text
    : wrong('must contain {id} after the host')
}

export function databaseUrl(text: string): string {
  const protocol = urlOf(text)?.protocol ?? ''
  return /^postgres(ql)?:$/.test(protocol)
    ? text
    : wrong('must be a postgres:// or postgresql:// URL')
}

export function absolutePath(text: string): string {
  return isAbsolute(text) ? text : wrong('must be an absolute path')
}

export function bucketName(text: string): string {
  const valid =
    /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(text) && !text.includes('..') && isIP(text) === 0
  return valid
    ? text
    : wrong('must be 3 to 63 lower-case letters, digits, dots and hyphens, as S3 names its buckets')
}

/** HMAC with SHA-256 wants a key at least as long as its output (RFC 7518, section 3.2). */
export function secret(text: string): string {
  return Buffer.byteLength(text) >= 32 ? text : wrong('must have at least 32 bytes')
}

/**
 * A PEM of type SPKI and of a kind that JWTs are signed with. `\n` may stand for line ends: env
 * files have one line a value.
 */
export function publicKey(text: string): string {
  const pem = text.replaceAll('\\n', '\n').trim()
  // createPublicKey would also take a private key and derive the public one: nobody should hand us
  // that.
  if (!/^-----BEGIN PUBLIC KEY-----[^-]*-----END PUBLIC KEY-----$/.test(pem))
    wrong('must be a public key as PEM (SPKI)')
  const key = keyOf(pem) ?? wrong('is not a readable public key')
  const { modulusLength = 0, namedCurve = '' } = key.asymmetricKeyDetails ?? {}
  const usable =
    key.asymmetricKeyType === 'ed25519' ||
    (key.asymmetricKeyType === 'rsa' && modulusLength >= 2048) ||
    (key.asymmetricKeyType === 'ec' &&
      ['prime256v1', 'secp384r1', 'secp521r1'].includes(namedCurve))
  return usable
    ? pem
    : wrong('must be RSA of at least 2048 bits, EC on P-256, P-384 or P-521, or Ed25519')
}

function keyOf(pem: string) {
  try {
    return createPublicKey(pem)
  } catch {
    return undefined
  }
}

/**
 * What Fastify calls trustProxy: true, false, how many hops, or the networks whose word is taken.
 */
export function trustProxy(text: string): boolean | number | string[] {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^\d{1,2}$/.test(text)) return Number(text)
  const networks = text.split(',').map((part) => part.trim())
  return networks.every(isNetwork)
    ? networks
    : wrong('must be true, false, a number of hops, or a list of addresses and CIDRs')
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  const longest = { 0: -1, 4: 32, 6: 128 }[isIP(address)] ?? -1
  return (
    longest > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= longest))
  )
}
