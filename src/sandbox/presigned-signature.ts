// Checks the signature of a presigned link (AWS Signature Version 4, in the query). s3rver's own
// check does not encode the characters !'()* in the query, so it rejects links whose file name is
// in UTF-8 (RFC 8187: `filename*=UTF-8''…`).
// https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html

import { createHash, createHmac, timingSafeEqual } from 'node:crypto'
import type { Context } from '@20minutes/s3rver'

/** Whether this key signed exactly this path, query and host. Does not check the expiry. */
export function isSignatureValid(
  { method, url, headers }: Pick<Context, 'method' | 'url' | 'headers'>,
  secretKey: string,
): boolean {
  const [path = '', query = ''] = url.split('?')
  const parameters = [...new URLSearchParams(query)]
  const get = (name: string) => parameters.find(([key]) => key === name)?.[1] ?? ''
  const signedHeaders = get('X-Amz-SignedHeaders').split(';')
  const [, ...scope] = get('X-Amz-Credential').split('/')

  const canonicalRequest = [
    method,
    path.split('/').map(decodeURIComponent).map(encode).join('/'),
    parameters
      .filter(([name]) => name !== 'X-Amz-Signature')
      .map(([name, value]) => `${encode(name)}=${encode(value)}`)
      .sort()
      .join('&'),
    ...signedHeaders.map((name) => `${name}:${headers[name]?.trim() ?? ''}`),
    '',
    signedHeaders.join(';'),
    'UNSIGNED-PAYLOAD',
  ].join('\n')
  const digest = createHash('sha256').update(canonicalRequest).digest('hex')
  const stringToSign = ['AWS4-HMAC-SHA256', get('X-Amz-Date'), scope.join('/'), digest].join('\n')
  const key = scope.reduce(
    (secret: Buffer | string, part) => hmac(secret, part),
    `AWS4${secretKey}`,
  )
  const expected = hmac(key, stringToSign)
  const provided = Buffer.from(get('X-Amz-Signature'), 'hex')
  return provided.length === expected.length && timingSafeEqual(provided, expected)
}

const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()

const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
