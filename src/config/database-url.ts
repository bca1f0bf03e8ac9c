// Reads DATABASE_URL as psql does, with what hosters and other drivers put into it. The driver's
// own parser throws on such addresses at the first connection, or takes parts of them for other
// things.

import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext, type SecureContextOptions } from 'node:tls'

/** Options of a connection. What is missing has the driver's default. */
export interface DatabaseAddress {
  host?: string
  port?: number
  user?: string
  password?: string
  database?: string
  /** Sent to the server at the start of a connection; some hosters route by them. */
  options?: string
  applicationName?: string
  /** undefined: the driver's default, which is no TLS. */
  tls?: DatabaseTls
  requireChannelBinding: boolean
}

export interface DatabaseTls {
  /** `prefer` and `allow` fall back to the other one, if the server refuses the first. */
  use: 'never' | 'allow' | 'prefer' | 'always'
  direct: boolean
  verify: 'nothing' | 'certificate' | 'certificate-and-host'
  files: Pick<SecureContextOptions, 'ca' | 'cert' | 'key' | 'passphrase'>
}

const encodeAdvice =
  'special characters in the user and the password must be percent-encoded, such as %23 for #'

// User and password end at the last @ before the first of / ? #.
const form =
  /^postgres(?:ql)?:\/\/(?:(?<login>[^/?#]*)@)?(?<place>[^/?#@]*)(?:\/(?<database>[^?#]*))?(?:\?(?<query>[^#]*))?(?<hash>#.*)?$/

/** Checks the URL and returns it without surrounding white space. @throws Error without values */
export function databaseUrl(text: string): string {
  parseDatabaseUrl(text)
  return text.trim()
}

/** @throws Error that continues "DATABASE_URL …" and quotes nothing of the URL */
export function parseDatabaseUrl(text: string): DatabaseAddress {
  const parts = form.exec(text.trim())?.groups
  if (!parts || /[\s\p{Cc}]/u.test(text.trim())) {
    reject('must be a postgres:// or postgresql:// URL, without quotes and spaces')
  }
  const { login, place = '', database = '', query: queryText = '', hash } = parts
  const query = new URLSearchParams(queryText)
  if (hash !== undefined) reject(`must not contain #: ${encodeAdvice}`)
  if (database.includes('@') || [...query.keys()].some((name) => name.includes('@'))) {
    reject(`has an @ after the host: ${encodeAdvice}`)
  }
  if (login !== undefined && /\[your-password\]/i.test(decode(login))) {
    reject('still has the placeholder [YOUR-PASSWORD]')
  }
  const separator = login?.indexOf(':') ?? -1
  const hasPassword = login !== undefined && separator >= 0
  refuseOtherTargets(query.get('target_session_attrs'))
  const tls = readTls(query)
  const requireChannelBinding = query.get('channel_binding') === 'require'
  if (requireChannelBinding && (tls === undefined || tls.use !== 'always')) {
    reject('has channel_binding=require, which also needs sslmode=require or stricter')
  }
  return withoutEmpty({
    ...readPlace(place, query),
    user: query.get('user') || decode(hasPassword ? login.slice(0, separator) : (login ?? '')),
    password: query.get('password') || (hasPassword ? decode(login.slice(separator + 1)) : ''),
    database: query.get('dbname') || decode(database),
    options: query.get('options'),
    applicationName: query.get('application_name'),
    tls,
    requireChannelBinding,
  })
}

function reject(message: string): never {
  throw new Error(message)
}

/** A % that begins no escape stands for itself. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replace(/%(?![0-9a-f]{2})/gi, '%25'))
  } catch {
    return reject(`has escapes that are no UTF-8: ${encodeAdvice}`)
  }
}

function withoutEmpty(address: Record<string, unknown>): DatabaseAddress {
  const given = Object.entries(address).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  )
  return Object.fromEntries(given) as unknown as DatabaseAddress
}

/** Host and port; a host that begins with / is the folder of a Unix socket. */
function readPlace(place: string, query: URLSearchParams) {
  const hosts = [place, query.get('host') ?? '', query.get('hostaddr') ?? '']
  if (hosts.some((host) => /,|%2c/i.test(host))) {
    reject(
      'names several hosts, which is not supported: give the one address that follows the primary',
    )
  }
  if (/^[\da-f]*:[\da-f]*:[\da-f:.]*$/i.test(place)) {
    reject('has an IPv6 address without brackets: write [::1]')
  }
  const [, bracketed, plain = '', portText] =
    /^(?:\[([^\]]*)\]|([^:[\]]*))(?::(.*))?$/.exec(place) ??
    reject(`has no readable host: ${encodeAdvice}`)
  const port = query.get('port') || portText
  if (port && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535)) {
    reject(`has a port that is no number from 1 to 65535: ${encodeAdvice}`)
  }
  const host = query.get('host') || decode(bracketed ?? plain) || query.get('hostaddr')
  return { host, port: port ? Number(port) : undefined }
}

function refuseOtherTargets(target: string | null): void {
  const known = ['any', 'read-write', 'primary', 'read-only', 'standby', 'prefer-standby']
  if (target === null || ['any', 'read-write', 'primary'].includes(target)) return
  reject(
    known.includes(target)
      ? 'asks for a standby in target_session_attrs, but the gateway writes'
      : `has an unknown target_session_attrs: it must be one of ${known.slice(0, 3).join(', ')}`,
  )
}

const sslModes = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full']

const usesOfMode: Record<string, DatabaseTls['use']> = {
  disable: 'never',
  allow: 'allow',
  prefer: 'prefer',
}

/** `ssl` of other drivers, as a value of `sslmode`. */
const modesOfSsl: Record<string, string> = {
  true: 'verify-full',
  '1': 'verify-full',
  false: 'disable',
  '0': 'disable',
}

function readTls(query: URLSearchParams): DatabaseTls | undefined {
  // Another spelling would silently mean no TLS.
  const misspelt = [...query.keys()].some((key) => key !== 'sslmode' && /^ssl[-_]?mode$/i.test(key))
  if (misspelt) reject('has a misspelt sslmode: it must be in lower case')
  const ssl = query.get('ssl')
  const direct = query.get('sslnegotiation') === 'direct'
  const names = ['sslrootcert', 'sslcert', 'sslkey'].filter((name) => query.get(name))
  const mode =
    query.get('sslmode') ||
    (ssl ? (modesOfSsl[ssl] ?? ssl) : names.length > 0 || direct ? 'verify-full' : undefined)
  if (mode === undefined) return undefined
  if (![...sslModes, 'no-verify'].includes(mode)) {
    reject(`has an unknown sslmode: it must be one of ${sslModes.join(', ')}, no-verify`)
  }
  const use = usesOfMode[mode] ?? 'always'
  if (direct && use !== 'always') {
    reject('has sslnegotiation=direct, which also needs sslmode=require or stricter')
  }
  const files = use === 'never' ? {} : readFiles(query)
  return { use, direct, verify: verificationOf(mode, files, query), files }
}

/** As in psql. Prisma verifies only with `sslaccept=strict`. */
function verificationOf(
  mode: string,
  { ca }: DatabaseTls['files'],
  query: URLSearchParams,
): DatabaseTls['verify'] {
  const isSystem = query.get('sslrootcert') === 'system'
  if (mode === 'verify-full' || isSystem || query.get('sslaccept') === 'strict') {
    return 'certificate-and-host'
  }
  // Any public certificate would do without a CA of one's own, so the host is checked, too.
  if (mode === 'verify-ca') return ca === undefined ? 'certificate-and-host' : 'certificate'
  return mode === 'require' && ca !== undefined ? 'certificate' : 'nothing'
}

function readFiles(query: URLSearchParams): DatabaseTls['files'] {
  const rootCert = query.get('sslrootcert')
  const files = {
    ca: rootCert === 'system' ? undefined : readFile('sslrootcert', rootCert),
    cert: readFile('sslcert', query.get('sslcert')),
    key: readFile('sslkey', query.get('sslkey')),
    passphrase: query.get('sslpassword') || undefined,
  }
  const given = Object.fromEntries(Object.entries(files).filter(([, value]) => value))
  try {
    // Alone it would accept a CA that is no certificate.
    if (files.ca !== undefined) new X509Certificate(files.ca)
    createSecureContext(given)
  } catch {
    reject('names a file in sslrootcert, sslcert or sslkey that is no valid PEM')
  }
  return given
}

function readFile(name: string, path: string | null): string | undefined {
  if (!path) return undefined
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return reject(`names a file in ${name} that cannot be read`)
  }
}
