// A response of the store that is no success, with what tells why: status, error code and text.

import type { IncomingHttpHeaders } from 'node:http'

export interface StoreResponse {
  status: number
  headers: IncomingHttpHeaders
  /** Such as `NoSuchKey`. Undefined when the body is not an error of S3. */
  code?: string | undefined
  /** The sentence of the store; from anyone else, the start of the body. */
  text?: string | undefined
}

/** The text is for decisions; the message, which is logged, names no host, path or key. */
export class StoreError extends Error {
  readonly status: number
  readonly code: string | undefined
  readonly text: string
  /** S3 never responds with HTML: a proxy or another service did. */
  readonly isHtml: boolean
  /** The region of the bucket, which S3 tells when it is not the one of the signature. */
  readonly bucketRegion: string | undefined
  readonly retryAfterSeconds: number | undefined

  constructor({ status, headers, code, text = '' }: StoreResponse) {
    const sentence = code === undefined ? '' : withoutPlaces(text)
    super(
      `The store responded ${status}${code === undefined ? '' : ` (${code})`}${sentence && `: ${sentence}`}`,
    )
    this.name = 'StoreError'
    this.status = status
    this.code = code
    this.text = text
    this.isHtml = isHtml(headers)
    this.bucketRegion = headers['x-amz-bucket-region']?.toString()
    this.retryAfterSeconds = parseRetryAfter(headers['retry-after'])
  }
}

export function isHtml(headers: IncomingHttpHeaders): boolean {
  return /^text\/html\b/i.test(headers['content-type'] ?? '')
}

/** Addresses, paths and names of accounts are left out; `s3:PutObject` stays. */
function withoutPlaces(text: string): string {
  return text
    .slice(0, 1000)
    .split(/(\s+)/)
    .map((word) => (isPlace(word) ? '[…]' : word))
    .join('')
    .slice(0, 300)
    .trim()
}

function isPlace(word: string): boolean {
  const names = word.split('.').filter((part) => part !== '')
  return names.length > 2 || /[/\\@]|[\w\]]:\d{2,5}\b/.test(word)
}

/** In seconds or as a date (RFC 9110, section 10.2.3). */
function parseRetryAfter(value: string | undefined): number | undefined {
  if (value === undefined) return undefined
  const seconds = /^\d{1,9}$/.test(value) ? Number(value) : (Date.parse(value) - Date.now()) / 1000
  return seconds > 0 ? Math.ceil(seconds) : undefined
}
