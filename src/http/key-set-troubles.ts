// What keeps tokens from being checked against a key set, in words for operators: the issuer is
// away, AUTH_JWKS_URL is not the address of a key set, or the set has no usable key.

import { errors, type JSONWebKeySet, type JWK } from 'jose'
import type { Trouble, TroubleReason, Troubles } from '../telemetry/troubles.ts'
import { isCausedBy } from './causes.ts'
import { BodyTooLargeError, ProxyError } from './outbound.ts'

const variable = 'AUTH_JWKS_URL'

/** A response that is not a key set. */
export class KeySetError extends Error {
  override name = 'KeySetError'
  readonly reason: TroubleReason
  readonly detail: string

  constructor(message: string, { reason, detail }: Pick<Trouble, 'reason' | 'detail'>) {
    super(message)
    this.reason = reason
    this.detail = detail
  }

  static ofStatus(status: number): KeySetError {
    const message = `The key set request got status ${status}.`
    const detail = `The URL of the key set responds with status ${status}.`
    if (status >= 300 && status < 400) {
      const redirects =
        'The URL of the key set redirects. Redirects are not followed: set the last URL.'
      return new KeySetError(message, { reason: 'misconfigured', detail: redirects })
    }
    if (status === 401 || status === 403)
      return new KeySetError(message, { reason: 'access_denied', detail })
    if (status === 429) return new KeySetError(message, { reason: 'limit_reached', detail })
    const isMissing = status >= 400 && status < 500
    return new KeySetError(message, { reason: isMissing ? 'misconfigured' : 'failing', detail })
  }

  /** Undefined for a key set. */
  static ofBody(text: string): KeySetError | undefined {
    const json = parseJson(text)
    if (Array.isArray(json?.['keys'])) return undefined
    const detail = json?.['jwks_uri']
      ? 'The URL is that of the discovery document. Set the URL that it names as jwks_uri.'
      : 'The URL of the key set serves something else.'
    return new KeySetError('The response is not a key set.', { reason: 'misconfigured', detail })
  }
}

function parseJson(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text.replace(/^\ufeff/, ''))
    return typeof json === 'object' && json !== null ? (json as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

/** Reports what each fetch of the keys shows, and clears it when a later one is good. */
export function createKeySetReports(troubles: Troubles) {
  let known: TroubleReason | undefined
  function show(trouble: Trouble | undefined, error?: unknown): void {
    if (trouble) troubles.report('issuer', trouble, error)
    if (known && known !== trouble?.reason) troubles.clear('issuer', known)
    known = trouble?.reason
  }
  return {
    onLoaded: (keys: JSONWebKeySet) => show(explainKeySet(keys)),
    onFailed: (error: unknown) => show(explainFailedFetch(error), error),
  }
}

export function explainKeySet({ keys }: JSONWebKeySet): Trouble | undefined {
  if (keys.some(isPrivate)) {
    const detail =
      'The key set publishes a private key, whose tokens are refused. Replace that key.'
    return { reason: 'misconfigured', variable, detail }
  }
  if (keys.some(canVerify)) return undefined
  const detail =
    keys.length === 0
      ? 'The key set is empty. An issuer that signs with a shared secret needs AUTH_JWT_SECRET.'
      : 'The key set has no public key for signatures (RSA, EC or Ed25519).'
  return { reason: 'misconfigured', variable, detail }
}

function isPrivate({ kty, d }: JWK): boolean {
  return kty !== 'oct' && d !== undefined
}

/** As jose chooses keys, for the algorithms that tokens may have. */
function canVerify({ kty = '', crv = '', use, key_ops: operations, alg }: JWK): boolean {
  return (
    ['RSA', 'EC', 'OKP'].includes(kty) &&
    (kty === 'RSA' || ['P-256', 'P-384', 'P-521', 'Ed25519'].includes(crv)) &&
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) &&
    (alg === undefined || /^([RP]S|ES)(256|384|512)$|^Ed(25519|DSA)$/.test(alg))
  )
}

export function explainFailedFetch(error: unknown): Trouble {
  if (error instanceof KeySetError) return { reason: error.reason, variable, detail: error.detail }
  if (error instanceof ProxyError) return explainProxy(error)
  if (error instanceof BodyTooLargeError) {
    const detail = 'The URL of the key set serves more than 1 MiB.'
    return { reason: 'misconfigured', variable, detail }
  }
  if (isTimeout(error)) {
    return { reason: 'no_response', variable, detail: 'The key set does not come in time.' }
  }
  if (isCausedBy(error, isTlsError)) {
    const detail =
      'There is no trusted TLS connection to the key set. NODE_EXTRA_CA_CERTS may add its authority.'
    return { reason: 'misconfigured', variable, detail }
  }
  if (isCausedBy(error, (cause) => cause instanceof errors.JWKSInvalid)) {
    return { reason: 'misconfigured', variable, detail: 'The key set is malformed.' }
  }
  return { reason: 'unreachable', variable, detail: 'The key set cannot be fetched.' }
}

function explainProxy({ status, variable: proxy }: ProxyError): Trouble {
  const detail = `The proxy of ${proxy} `
  if (status === 407) {
    return { reason: 'credentials_refused', variable: proxy, detail: `${detail}wants credentials.` }
  }
  if (status === undefined) {
    return { reason: 'unreachable', variable: proxy, detail: `${detail}cannot be reached.` }
  }
  const refused = `${detail}does not connect to the key set (status ${status}).`
  return { reason: status < 500 ? 'access_denied' : 'failing', variable: proxy, detail: refused }
}

const timeoutNames = ['TimeoutError', 'HeadersTimeoutError', 'BodyTimeoutError']

function isTimeout(error: unknown): boolean {
  return (
    error instanceof errors.JWKSTimeout ||
    isCausedBy(error, (cause) => cause instanceof Error && timeoutNames.includes(cause.name))
  )
}

function isTlsError(error: unknown): boolean {
  const { code } = (error ?? {}) as { code?: unknown }
  return typeof code === 'string' && /CERT|SIGNATURE|_SSL_|^ERR_TLS_|^EPROTO$/.test(code)
}
