// Checks a signature (AWS Signature Version 4), in the query of a link or in a header. s3rver's own
// check does not encode the characters !'()* in the query, so it rejects links whose file name is
// in UTF-8 (RFC 8187: `filename*=UTF-8''…`), and it expects the bucket in the path.
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
  const signature = readSignature(headers, parameters)
  const { signedHeaders, scope } = signature

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
    signature.payload,
  ].join('\n')
  const digest = createHash('sha256').update(canonicalRequest).digest('hex')
  const stringToSign = ['AWS4-HMAC-SHA256', signature.date, scope.join('/'), digest].join('\n')
  const key = scope.reduce(
    (secret: Buffer | string, part) => hmac(secret, part),
    `AWS4${secretKey}`,
  )
  const expected = hmac(key, stringToSign)
  const provided = Buffer.from(signature.hex, 'hex')
  return provided.length === expected.length && timingSafeEqual(provided, expected)
}

interface Signature {
  signedHeaders: string[]
  /** Date, region, service and `aws4_request`. */
  scope: string[]
  date: string
  payload: string
  hex: string
}

function readSignature(headers: Context['headers'], parameters: [string, string][]): Signature {
  const { authorization } = headers
  const inHeader = (name: string) =>
    new RegExp(`${name}=([^, ]+)`).exec(String(authorization))?.[1] ?? ''
  const inQuery = (name: string) => parameters.find(([key]) => key === `X-Amz-${name}`)?.[1] ?? ''
  const read = authorization === undefined ? inQuery : inHeader
  const header = (name: string) => String(headers[name] ?? '')
  return {
    signedHeaders: read('SignedHeaders').split(';'),
    scope: read('Credential').split('/').slice(1),
    hex: read('Signature'),
    date: authorization === undefined ? inQuery('Date') : header('x-amz-date'),
    payload: authorization === undefined ? 'UNSIGNED-PAYLOAD' : header('x-amz-content-sha256'),
  }
}

const hmac = (key: Buffer | string, text: string) => createHmac('sha256', key).update(text).digest()

const encode = (text: string) =>
  encodeURIComponent(text).replace(
    /[!'()*]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  )
