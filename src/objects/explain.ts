// What a failure of the store means: for the run (does waiting help?) and for the operator (which
// variable to look at). Stores differ in their codes, so an unknown refusal counts as final, and
// everything else as passing.

import type { Trouble, TroubleReason } from '../telemetry/troubles.ts'
import { StoreError } from './store-error.ts'

/** What was asked of the store: the log, /health and decisions name it. */
export type StoreAction =
  | 'look at the bucket'
  | 'create the bucket'
  | 'store objects'
  | 'read objects'
  | 'remove objects'
  | 'abort uploads'

export interface Explanation extends Trouble {
  /** The store will refuse the same request again, however long we wait. */
  isFinal: boolean
}

type Rule = (found: { error: StoreError; action: StoreAction }) => Explanation | undefined

const final = (reason: TroubleReason, variable: string, detail: string): Explanation => ({
  reason,
  variable,
  detail,
  isFinal: true,
})
const passing = (reason: TroubleReason, detail: string, variable = 'MINIO_ENDPOINT') => ({
  reason,
  variable,
  detail,
  isFinal: false,
})

/** `code` is compared as a whole, and `text` is searched. */
const when =
  (
    { code, text, status }: { code?: RegExp; text?: RegExp; status?: number[] },
    explanation: Explanation | ((action: StoreAction) => Explanation),
  ): Rule =>
  ({ error, action }) => {
    const isMatch =
      (code?.test(error.code ?? '') ?? false) ||
      (text?.test(error.text) ?? false) ||
      (status?.includes(error.status) ?? false)
    if (!isMatch) return undefined
    return typeof explanation === 'function' ? explanation(action) : explanation
  }

const wrongClock = final(
  'misconfigured',
  'MINIO_ENDPOINT',
  'The clock of the store and the clock of this machine differ by too much.',
)
const wrongRegion = final(
  'misconfigured',
  'MINIO_REGION',
  'The store or the bucket belongs to another region.',
)
const notStore = final(
  'misconfigured',
  'MINIO_ENDPOINT',
  'The responses are not those of an S3 store: a proxy or another service sends them.',
)
const wrongScheme = final(
  'misconfigured',
  'MINIO_ENDPOINT',
  'The scheme of the address is wrong: one side speaks https, the other http.',
)

const noBucket = final(
  'misconfigured',
  'MINIO_BUCKET',
  'The bucket does not exist, and the access key may not create it.',
)
const denied = (action: StoreAction) =>
  final(
    'access_denied',
    'MINIO_ACCESS_KEY',
    `The access key may not ${action}. Check its rights and what the policy of the bucket demands.`,
  )
const unsupported = (action: StoreAction) =>
  final('unsupported', 'MINIO_ENDPOINT', `The store does not support what is needed to ${action}.`)

/** The first rule that matches applies. */
const rules: Rule[] = [
  when({ text: /http request (?:was sent )?to (?:an )?https/i }, wrongScheme),
  // A presigned request with a wrong clock is denied with one of these sentences only.
  when(
    {
      code: /^(?:RequestTimeTooSkewed|RequestInTheFuture|RequestExpired)$/,
      text: /request (?:has expired|is not valid yet)|not yet valid/i,
    },
    wrongClock,
  ),
  when(
    { code: /^(?:SignatureDoesNotMatch|InvalidSignature|SignatureError)$/ },
    final(
      'credentials_refused',
      'MINIO_SECRET_KEY',
      'The store refuses the signature: the secret key is wrong, or a proxy changes requests.',
    ),
  ),
  when(
    {
      code: /^(?:InvalidAccessKeyId|ExpiredToken|InvalidToken|InvalidClientTokenId|TokenRefreshRequired|InvalidSecurity|NotSignedUp|Unauthorized|UnauthorizedAccess|AccountProblem|AllAccessDisabled|InvalidCredentials?|.*(?:AccountDisabled|AccessKeyDisabled|UserDisabled))$/,
      status: [401],
    },
    final(
      'credentials_refused',
      'MINIO_ACCESS_KEY',
      'The store does not accept the access key: it is unknown, disabled or expired.',
    ),
  ),
  when(
    {
      code: /^(?:AuthorizationHeaderMalformed|AuthorizationQueryParametersError|PermanentRedirect|IllegalLocationConstraintException|InvalidLocationConstraint|(?:XMinio)?InvalidRegion|CredentialScopeMismatch)$/,
    },
    wrongRegion,
  ),
  // S3 tells the region only with a HEAD response that has no body.
  ({ error: { bucketRegion, status } }) =>
    bucketRegion !== undefined && [301, 307, 400].includes(status) ? wrongRegion : undefined,
  when(
    {
      code: /Quota|StorageFull|BackendFull|DiskFull|NoSpace|Insufficient(?:Storage|Capacity)|^TooManyBuckets$/i,
      status: [507],
    },
    final('limit_reached', 'MINIO_BUCKET', 'The store is full, or a quota of it is used up.'),
  ),
  when(
    {
      code: /^(?:SlowDown|TooManyRequests|RequestLimitExceeded|BandwidthLimitExceeded)$|throttl/i,
      text: /\bexceeded the rate\b/i,
      status: [429],
    },
    passing('limit_reached', 'The store limits requests.'),
  ),
  // After the limits: the key service limits requests, too.
  when(
    { code: /kms/i, text: /\bkms\b/i },
    final(
      'request_refused',
      'MINIO_BUCKET',
      'The store cannot encrypt or decrypt objects of the bucket: its key service refuses.',
    ),
  ),
  when(
    {
      code: /^(?:RequestTimeout|IncompleteBody|BadDigest|XAmzContentChecksumMismatch|OperationAborted|ConditionalRequestConflict|InternalError|ServiceUnavailable|Busy|TemporaryRedirect|NoSuchUpload|NoSuchKey|InvalidPart|InvalidPartOrder|NotFound|XMinioServerNotInitialized)$/,
      status: [408, 425],
    },
    passing('failing', 'The store responds with errors.'),
  ),
  when(
    { code: /^NoSuchBucket$/ },
    passing('misconfigured', 'The bucket does not exist.', 'MINIO_BUCKET'),
  ),
  when(
    { code: /^(?:BucketAlreadyExists|InvalidBucketName|InvalidBucketNamespace)$/ },
    final(
      'misconfigured',
      'MINIO_BUCKET',
      'The name of the bucket is not allowed, or belongs to another account.',
    ),
  ),
  when(
    { code: /^(?:EntityTooLarge|MaxMessageLengthExceeded)$/, status: [413] },
    final(
      'request_refused',
      'MINIO_ENDPOINT',
      'The store, or a proxy in front of it, refuses files of this size.',
    ),
  ),
  ({ error: { status } }) =>
    status >= 300 && status < 400
      ? final('misconfigured', 'MINIO_ENDPOINT', 'The store redirects to another address.')
      : undefined,
  ({ error: { code, isHtml, status } }) =>
    isHtml && status < 500
      ? notStore
      : code === undefined && status === 404
        ? // An ingress responds like this for a moment while the store behind it restarts.
          { ...notStore, isFinal: false }
        : undefined,
  when(
    { code: /^SecondLevelDomainForbidden$/ },
    final('unsupported', 'MINIO_ENDPOINT', 'The store does not allow path-style addresses.'),
  ),
  when(
    { code: /^(?:AccessDenied|Forbidden|AccountAccessDenied|AccessForbidden)$/, status: [403] },
    (action) => (action === 'create the bucket' ? noBucket : denied(action)),
  ),
  when({ code: /^(?:NotImplemented|MethodNotAllowed)$/, status: [405, 501] }, (action) =>
    action === 'create the bucket' ? noBucket : unsupported(action),
  ),
  ({ error: { status } }) =>
    status >= 500 ? passing('failing', 'The store responds with errors.') : undefined,
]

export function explainStoreError(error: unknown, action: StoreAction): Explanation {
  if (!(error instanceof StoreError)) return explainConnection(error)
  for (const rule of rules) {
    const explanation = rule({ error, action })
    if (explanation) return explanation
  }
  return final('request_refused', 'MINIO_ENDPOINT', `The store refuses to ${action}.`)
}

const certificateCode =
  /^(?:CERT_|ERR_TLS_CERT|DEPTH_ZERO_SELF_SIGNED_CERT|SELF_SIGNED_CERT|UNABLE_TO_|HOSTNAME_MISMATCH)/

function explainConnection(error: unknown): Explanation {
  const { code, name } = (error ?? {}) as { code?: unknown; name?: unknown }
  const codeText = typeof code === 'string' ? code : ''
  if (certificateCode.test(codeText)) {
    return final(
      'misconfigured',
      'MINIO_ENDPOINT',
      'The certificate of the store is not trusted, has expired or is for another name.',
    )
  }
  // Plain HTTP from the other side of a TLS handshake, and an alert of TLS instead of a response.
  if (/^(?:ERR_SSL_|EPROTO$|HPE_INVALID_CONSTANT$)/.test(codeText)) return wrongScheme
  if (name === 'TimeoutError') return passing('no_response', 'The store does not respond in time.')
  if (/^E[A-Z_]{3,}$/.test(codeText)) {
    return passing('unreachable', 'The store cannot be reached.')
  }
  return passing('failing', 'The store or the connection to it fails.')
}
