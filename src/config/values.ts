// Parsers for the text of environment variables. An error says what is wrong and never quotes the
// text, which may be a secret.

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

export function reject(message: string): never {
  throw new Error(message)
}

export function anyText(text: string): string {
  return /\p{Cc}/u.test(text) ? reject('must not contain control characters') : text
}

/** Text that is compared with what others write. Quotes at its ends are remains of an env file. */
export function plainText(text: string): string {
  if (/[\p{Cc}\p{Cf}]/u.test(text)) reject('must not contain control or invisible characters')
  return /^["'`‘’“”]|["'`‘’“”]$/.test(text) ? reject('must not begin or end with a quote') : text
}

export function word(text: string): string {
  return /^[\x21-\x7e]+$/.test(text) ? text : reject('must be visible ASCII without spaces')
}

/** A token of RFC 9110, section 5.6.2. Browsers don't take `*` for all headers with credentials. */
export function headerName(text: string): string {
  return /^[\w!#$%&'*+.^`|~-]+$/.test(text) && text !== '*'
    ? text
    : reject('must be names of HTTP headers')
}

/** An address or a name to listen on, without a scheme or a port. */
export function listenHost(text: string): string {
  const host = /^\[(.+)\]$/.exec(text)?.[1] ?? text
  return isIP(host) > 0 || /^[a-z\d_]([a-z\d_.-]*[a-z\d_])?$/i.test(host)
    ? host
    : reject('must be an address or a host name, without a scheme or a port')
}

export function integer(min: number, max = 1_000_000_000): Parse<number> {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : Number.NaN
    const form = /^\d/.test(text) && Number.isNaN(value) ? ', in digits only, without a unit' : ''
    return value >= min && value <= max
      ? value
      : reject(`must be a whole number from ${min} to ${max}${form}`)
  }
}

/** A number that may have decimals. */
export function decimal(min: number, max: number): Parse<number> {
  return (text) => {
    const value = /^\d{1,10}(\.\d{1,10})?$/.test(text) ? Number(text) : Number.NaN
    return value >= min && value <= max ? value : reject(`must be a number from ${min} to ${max}`)
  }
}

const maxDelays = 50
/** A week. */
const maxDelaySeconds = 604_800

/** Delays in seconds, in their order. Decimals are allowed. */
export function delays(text: string): number[] {
  const entries = text.split(',').map((entry) => decimal(0, maxDelaySeconds)(entry.trim()))
  return entries.length <= maxDelays ? entries : reject(`must have at most ${maxDelays} entries`)
}

/** 32 bytes as base64, for AES-256. */
export function encryptionKey(text: string): string {
  const isBase64 = /^[A-Za-z0-9+/_-]+={0,2}$/.test(text)
  return isBase64 && Buffer.from(text, 'base64').length === 32
    ? text
    : reject('must be 32 bytes as base64: `openssl rand -base64 32` makes one')
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
  return (text) => [...new Set(entriesOf(text).map(parse))]
}

/** Extra commas are harmless, but a list of nothing else would switch off what it limits. */
function entriesOf(text: string): string[] {
  const entries = text.split(',').map((part) =>
    part
      .trim()
      .replace(/^(["'])(.*)\1$/, '$2')
      .trim(),
  )
  const filled = entries.filter(Boolean)
  return filled.length > 0 ? filled : reject('must have at least one entry')
}

function toUrl(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined
}

export function parseUrl(text: string): URL {
  const parsed = toUrl(text)
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol))
    reject('must be an http or https URL, with its scheme')
  if (parsed.username || parsed.password) reject('must not contain credentials')
  // URLs may have other hosts, but each is a typing mistake: a wildcard, a placeholder, a list.
  if (!/^([a-z\d_.-]+|\[[\da-f:.]+\])$/.test(parsed.hostname) || /^https?$/.test(parsed.hostname))
    reject('must have a valid host name')
  return parsed
}

const discovery = /\/\.well-known\/(openid-configuration|oauth-authorization-server)\b/

export function keySetUrl(text: string): string {
  const { href, pathname } = parseUrl(text)
  return discovery.test(pathname)
    ? reject("must be the issuer's key set, which its discovery document names as jwks_uri")
    : href
}

/** The page adds its parameters to it, and a token comes back in a fragment. */
export function loginUrl(text: string): string {
  const { href, hash } = parseUrl(text)
  return hash ? reject('must not contain a fragment') : href
}

export function issuerName(text: string): string {
  return discovery.test(text)
    ? reject('must be the iss of the tokens, not the URL of the discovery document')
    : plainText(text)
}

/**
 * The URL of an HTTP proxy, maybe with credentials. Without a scheme, http is meant, as in curl.
 */
export function proxyUrl(text: string): string {
  const parsed = toUrl(/^[a-z][a-z\d+.-]*:\/\//i.test(text) ? text : `http://${text}`)
  if (parsed === undefined || !/^https?:$/.test(parsed.protocol) || !canDecode(parsed))
    reject('must be the http or https URL of a proxy')
  return parsed.href
}

function canDecode({ username, password }: URL): boolean {
  try {
    return decodeURIComponent(username + password) !== undefined
  } catch {
    return false
  }
}

/** Entries of NO_PROXY may also be separated by spaces, as curl and Go accept them. */
export function words(text: string): string[] {
  return text
    .split(/[\s,]+/)
    .filter(Boolean)
    .map(anyText)
}

/** Returned without a slash at the end. */
export function baseUrl(text: string): string {
  const { href, search, hash } = parseUrl(text)
  return search || hash
    ? reject('must not contain a query or a fragment')
    : href.replace(/(?<!\/)\/+$/, '')
}

export function origin(text: string): string {
  if (text === '*') reject('must be origins, because * does not work with credentials')
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

/** HS256 requires a key not shorter than its output (RFC 7518, section 3.2). */
export function secret(text: string): string {
  return Buffer.byteLength(text) >= 32 ? text : reject('must have at least 32 bytes')
}

/** Fastify's trustProxy: true, false, a number of hops, or the networks of trusted proxies. */
export function trustProxy(text: string): boolean | number | string[] {
  if (text === 'true' || text === 'false') return text === 'true'
  if (/^\d{1,2}$/.test(text)) return Number(text)
  const networks = entriesOf(text)
  return networks.every(isNetwork)
    ? networks
    : reject('must be true, false, a number of hops, or a list of addresses and CIDRs')
}

export function network(text: string): string {
  return isNetwork(text) ? text : reject('must be a list of addresses and CIDRs')
}

function isNetwork(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  // A zone (`fe80::1%eth0`) names a link of one machine, and Fastify refuses it.
  const maxBits = address.includes('%') ? 0 : ({ 4: 32, 6: 128 }[isIP(address)] ?? 0)
  return (
    maxBits > 0 &&
    rest.length === 0 &&
    (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= maxBits))
  )
}
