// Why tokens are refused: a metric by reason, and one log line a minute for each reason. Neither
// holds anything of the token. Anyone can send bad tokens, so only correctly signed ones show that
// the configuration or the issuer is wrong, and only while no others are accepted.

import { errors } from 'jose'
import type { KeySource } from '../config/key-sources.ts'
import { Problem } from '../domain/problem.ts'
import type { Logger } from '../telemetry/logging.ts'
import type { Troubles } from '../telemetry/troubles.ts'

export const refusalReasons = [
  'malformed',
  'algorithm',
  'unknown_key',
  'unusable_key',
  'signature',
  'expired',
  'not_yet_valid',
  'issuer',
  'audience',
  'subject',
  'claims',
  'keys_unavailable',
] as const
export type RefusalReason = (typeof refusalReasons)[number]

/** A refusal that jose does not know. */
export class RefusedTokenError extends Error {
  override name = 'RefusedTokenError'
  readonly reason: RefusalReason

  constructor(reason: RefusalReason) {
    super(`The token was refused: ${reason}.`)
    this.reason = reason
  }
}

type ClaimError = errors.JWTClaimValidationFailed | errors.JWTExpired

/** Whether the signature was right, and only the claims are not. */
export function isClaimError(error: unknown): error is ClaimError {
  return error instanceof errors.JWTClaimValidationFailed || error instanceof errors.JWTExpired
}

export function refusalReason(error: unknown): RefusalReason {
  if (error instanceof Problem) return 'keys_unavailable'
  if (error instanceof RefusedTokenError) return error.reason
  if (error instanceof errors.JWTExpired) return 'expired'
  if (isClaimError(error)) return reasonOfClaim(error)
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm'
  if (error instanceof errors.JWKSNoMatchingKey) return 'unknown_key'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JWKSInvalid) return 'unusable_key'
  // jose's other errors are about the token. Errors of others are about the key.
  return error instanceof errors.JOSEError ? 'malformed' : 'unusable_key'
}

function reasonOfClaim({ claim, reason }: ClaimError): RefusalReason {
  if (claim === 'nbf' && reason === 'check_failed') return 'not_yet_valid'
  const reasons: Record<string, RefusalReason> = {
    iss: 'issuer',
    aud: 'audience',
    sub: 'subject',
  }
  return reasons[claim] ?? 'claims'
}

const keyVariables: Record<KeySource['kind'], string> = {
  jwks: 'AUTH_JWKS_URL',
  secret: 'AUTH_JWT_SECRET',
  'public-key': 'AUTH_JWT_PUBLIC_KEY',
}

/** Of correctly signed tokens: what the issuer or the configuration must change. */
const mismatches: readonly RefusalReason[] = ['issuer', 'audience', 'subject', 'claims']

const repeatMs = 60_000
/** While tokens are accepted, those that are not come from other clients of the issuer. */
const provenMs = 10 * 60_000

export interface RefusalReportOptions {
  auth: { keySources: readonly Pick<KeySource, 'kind'>[]; issuer: string | undefined }
  logger: Pick<Logger, 'warn' | 'info'>
  troubles: Pick<Troubles, 'report' | 'clear'>
  count: (reason: RefusalReason) => void
  /** In ms, of a clock that never goes back. */
  now?: () => number
}

export function createRefusalReports({
  auth,
  logger,
  troubles,
  count,
  now = () => performance.now(),
}: RefusalReportOptions) {
  const keyVariable = auth.keySources.map(({ kind }) => keyVariables[kind]).join(', ')
  const loggedAtMs = new Map<RefusalReason, number>()
  let acceptedAtMs = Number.NEGATIVE_INFINITY
  let hasTrouble = false

  function isDue(reason: RefusalReason): boolean {
    if (now() - (loggedAtMs.get(reason) ?? Number.NEGATIVE_INFINITY) < repeatMs) return false
    loggedAtMs.set(reason, now())
    return true
  }

  return {
    onAccepted(): void {
      acceptedAtMs = now()
      if (!hasTrouble) return
      hasTrouble = false
      troubles.clear('issuer', 'tokens_refused')
    },

    onRefused(error: unknown): void {
      const reason = refusalReason(error)
      count(reason)
      // Failed fetches of keys are reported where they happen.
      if (reason === 'keys_unavailable') return
      const { variable = keyVariable, detail } = explainRefusal(reason, error, auth.issuer)
      const isDueNow = isDue(reason)
      if (mismatches.includes(reason) && now() - acceptedAtMs >= provenMs) {
        hasTrouble = true
        troubles.report('issuer', { reason: 'tokens_refused', variable, detail })
      } else if (isDueNow) {
        const level = reason === 'expired' ? 'info' : 'warn'
        logger[level]({ reason, variable }, `refused a token: ${detail}`)
      }
    },
  }
}

interface Explanation {
  /** Default: that of the key. */
  variable?: string
  detail: string
}

const details: Record<RefusalReason, string> = {
  malformed: 'It is no JWT, is too long, or has critical extensions.',
  algorithm: 'Its algorithm is not one of the configured kind of key.',
  unknown_key: 'The key set does not have its key.',
  unusable_key: 'Its key is private, too short or broken.',
  signature: 'Its signature does not fit the key.',
  expired: 'It has expired.',
  not_yet_valid: 'It is not valid yet (nbf). The clocks may differ.',
  issuer: 'The iss claim is not AUTH_ISSUER.',
  audience: 'The aud claim names none of AUTH_AUDIENCE.',
  subject: 'The sub claim is not a text of 1 to 255 printable ASCII characters.',
  claims: 'The exp claim is missing, or a time in the token is not a number.',
  keys_unavailable: 'The keys cannot be fetched.',
}

function explainRefusal(
  reason: RefusalReason,
  error: unknown,
  issuer: string | undefined,
): Explanation {
  const { claim, reason: cause, payload } = isClaimError(error) ? error : {}
  const isMissing = cause === 'missing'
  if (reason === 'audience') {
    const variable = 'AUTH_AUDIENCE'
    const missing =
      'The tokens have no aud claim. The issuer must add one that AUTH_AUDIENCE names.'
    return { variable, detail: isMissing ? missing : details.audience }
  }
  if (reason === 'issuer') {
    const given = payload?.iss
    const isSlashOnly =
      given !== undefined && issuer !== undefined && trimSlash(given) === trimSlash(issuer)
    const slash = 'The iss claim differs from AUTH_ISSUER only by a slash at the end.'
    return { variable: 'AUTH_ISSUER', detail: isSlashOnly ? slash : details.issuer }
  }
  if (claim === 'sub' && isMissing) {
    return {
      detail:
        'The tokens have no sub claim. In Keycloak, the client scope "basic" adds it, also to lightweight tokens.',
    }
  }
  return { detail: details[reason] }
}

function trimSlash(text: string): string {
  return typeof text === 'string' ? text.replace(/\/$/, '') : ''
}
