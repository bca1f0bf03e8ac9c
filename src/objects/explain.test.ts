// The codes and texts with which S3, MinIO, Ceph, SeaweedFS and proxies refuse, as they were seen
// or are documented.

import { expect, it } from 'vitest'
import { explainStoreError } from './explain.ts'
import { StoreError } from './store-error.ts'

const html = { 'content-type': 'text/html' }

it.each<[number, string | undefined, string, string, string]>([
  [403, 'SignatureDoesNotMatch', '', 'credentials_refused', 'MINIO_SECRET_KEY'],
  [403, 'InvalidAccessKeyId', '', 'credentials_refused', 'MINIO_ACCESS_KEY'],
  [
    400,
    'ExpiredToken',
    'The provided token has expired.',
    'credentials_refused',
    'MINIO_ACCESS_KEY',
  ],
  [400, 'InvalidToken', '', 'credentials_refused', 'MINIO_ACCESS_KEY'],
  [401, undefined, '', 'credentials_refused', 'MINIO_ACCESS_KEY'],
  [403, 'RequestTimeTooSkewed', '', 'misconfigured', 'MINIO_ENDPOINT'],
  [403, 'AccessDenied', 'Request has expired', 'misconfigured', 'MINIO_ENDPOINT'],
  [403, 'AccessDenied', 'Request is not valid yet', 'misconfigured', 'MINIO_ENDPOINT'],
  [403, 'AccessDenied', 'Access Denied.', 'access_denied', 'MINIO_ACCESS_KEY'],
  [403, undefined, '', 'access_denied', 'MINIO_ACCESS_KEY'],
  [
    403,
    'AccessDenied',
    'not authorized to perform: kms:Decrypt',
    'request_refused',
    'MINIO_BUCKET',
  ],
  [400, 'KMS.NotFoundException', '', 'request_refused', 'MINIO_BUCKET'],
  [501, 'NotImplemented', 'KMS is not configured', 'request_refused', 'MINIO_BUCKET'],
  [301, 'PermanentRedirect', '', 'misconfigured', 'MINIO_REGION'],
  [400, 'AuthorizationHeaderMalformed', '', 'misconfigured', 'MINIO_REGION'],
  [400, 'IllegalLocationConstraintException', '', 'misconfigured', 'MINIO_REGION'],
  [308, undefined, '', 'misconfigured', 'MINIO_ENDPOINT'],
  [400, 'XMinioAdminBucketQuotaExceeded', '', 'limit_reached', 'MINIO_BUCKET'],
  [403, 'QuotaExceeded', '', 'limit_reached', 'MINIO_BUCKET'],
  [507, 'XMinioStorageFull', '', 'limit_reached', 'MINIO_BUCKET'],
  [507, undefined, '', 'limit_reached', 'MINIO_BUCKET'],
  [400, 'EntityTooLarge', '', 'request_refused', 'MINIO_ENDPOINT'],
  [413, undefined, '<html>', 'request_refused', 'MINIO_ENDPOINT'],
  [400, 'InvalidStorageClass', '', 'request_refused', 'MINIO_ENDPOINT'],
  [400, 'InvalidArgument', 'aws-chunked is not supported', 'request_refused', 'MINIO_ENDPOINT'],
  [403, 'SecondLevelDomainForbidden', '', 'unsupported', 'MINIO_ENDPOINT'],
  [405, undefined, '', 'unsupported', 'MINIO_ENDPOINT'],
  [501, 'NotImplemented', '', 'unsupported', 'MINIO_ENDPOINT'],
])('does not wait after %i %s %s: %s, %s', (status, code, text, reason, variable) => {
  const explanation = explainStoreError(
    new StoreError({ status, headers: {}, code, text }),
    'store objects',
  )
  expect(explanation).toMatchObject({ isFinal: true, reason, variable })
})

it.each<[number, string | undefined]>([
  [500, 'InternalError'],
  [502, undefined],
  [503, 'SlowDown'],
  [503, undefined],
  [504, undefined],
  [429, 'TooManyRequests'],
  [429, undefined],
  [400, 'RequestTimeout'],
  [400, 'IncompleteBody'],
  [400, 'BadDigest'],
  [403, 'ThrottlingException'],
  [408, undefined],
  [409, 'OperationAborted'],
  [404, 'NoSuchUpload'],
  // An ingress, while the store behind it restarts.
  [404, undefined],
  [404, 'NoSuchKey'],
  // The next attempt creates it.
  [404, 'NoSuchBucket'],
])('waits after %i %s', (status, code) => {
  const error = new StoreError({ status, headers: status === 502 ? html : {}, code })
  expect(explainStoreError(error, 'store objects').isFinal).toBe(false)
})

it('waits for the limits of a key service', () => {
  const text = 'You have exceeded the rate at which you may call KMS.'
  for (const code of ['ThrottlingException', 'KMS.ThrottlingException', undefined]) {
    const error = new StoreError({ status: 400, headers: {}, code, text })
    expect(explainStoreError(error, 'store objects')).toMatchObject({
      isFinal: false,
      reason: 'limit_reached',
    })
  }
})

it.each([
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'EPROTO',
])('does not wait after a failed handshake: %s', (code) => {
  const error = Object.assign(new Error('handshake'), { code })
  expect(explainStoreError(error, 'store objects')).toMatchObject({
    isFinal: true,
    reason: 'misconfigured',
    variable: 'MINIO_ENDPOINT',
  })
})

it.each(['ECONNREFUSED', 'ECONNRESET', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'EPIPE'])(
  'waits for a store that cannot be reached: %s',
  (code) => {
    const error = Object.assign(new Error('away'), { code })
    expect(explainStoreError(error, 'store objects')).toMatchObject({
      isFinal: false,
      reason: 'unreachable',
    })
  },
)

it('holds no host, key or text of the store in a detail', () => {
  const text = 'http://minio.internal:9000/decks/alice'
  const error = new StoreError({ status: 403, headers: html, text })
  expect(explainStoreError(error, 'read objects').detail).not.toContain('minio.internal')
})
