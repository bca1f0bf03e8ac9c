// Refusals that a test puts in the gateway's place, as the gateway words them. Journeys over the
// real gateway make a few of them happen; here each code has its turn.

import type { Page } from '../../sandbox/chromium.ts'

export interface Refusal {
  code: string
  status: number
  /** Seconds. */
  retryAfter?: number
  /** A field's path, and what is wrong there. */
  error?: { path: string; message: string }
}

export const sentenceOf = (code: string) => `The sentence of ${code}.`

/** Refuses these requests while there is a `now`. Counts the refused ones. */
export async function refuse(page: Page, method: string, url: RegExp) {
  const control: { now: Refusal | undefined; count: number } = { now: undefined, count: 0 }
  await page.route(url, (route) => {
    const { now } = control
    if (!now || route.request().method() !== method) return route.fallback()
    control.count += 1
    return route.fulfill({
      status: now.status,
      contentType: 'application/problem+json',
      headers: now.retryAfter === undefined ? {} : { 'retry-after': String(now.retryAfter) },
      body: JSON.stringify({
        ...{ type: 'about:blank', title: 'Refused', instance: '/', request_id: 'request-1' },
        ...{ status: now.status, code: now.code, detail: sentenceOf(now.code) },
        ...(now.error && { errors: [now.error] }),
      }),
    })
  })
  return control
}

/** Of every authenticated route, with statuses. */
export const everywhere: Refusal[] = [
  { code: 'PERMISSION_DENIED', status: 403 },
  { code: 'REQUEST_TIMEOUT', status: 408 },
  { code: 'RATE_LIMIT_EXCEEDED', status: 429 },
  { code: 'INTERNAL_ERROR', status: 500 },
  { code: 'AUTHENTICATION_UNAVAILABLE', status: 503 },
  { code: 'DATABASE_UNAVAILABLE', status: 503 },
]

export const ofCreation: Refusal[] = [
  { code: 'VALIDATION_FAILED', status: 400 },
  { code: 'QUOTA_EXHAUSTED', status: 402 },
  { code: 'CONFLICT', status: 409 },
  { code: 'PAYLOAD_TOO_LARGE', status: 413 },
  { code: 'IDEMPOTENCY_KEY_REUSED', status: 422 },
  { code: 'QUOTA_EXCEEDED', status: 429, retryAfter: 3600 },
  { code: 'QUEUE_FULL', status: 429 },
  { code: 'QUEUE_FULL', status: 503 },
]

export const ofUploads: Refusal[] = [
  { code: 'PAYLOAD_TOO_LARGE', status: 413 },
  { code: 'UNSUPPORTED_MEDIA_TYPE', status: 415 },
  { code: 'SOURCE_REJECTED', status: 422 },
  { code: 'QUOTA_EXHAUSTED', status: 402 },
  { code: 'SCANNER_UNAVAILABLE', status: 503 },
  { code: 'STORAGE_UNAVAILABLE', status: 503 },
]

export const ofChanges: Refusal[] = [
  { code: 'CONFLICT', status: 409 },
  { code: 'NOT_SUPPORTED', status: 409 },
  { code: 'REVISION_CONFLICT', status: 412 },
  { code: 'QUOTA_EXCEEDED', status: 429, retryAfter: 3600 },
  { code: 'QUEUE_FULL', status: 503 },
  { code: 'UPSTREAM_UNAVAILABLE', status: 503 },
]

export const ofDownloads: Refusal[] = [
  { code: 'NOT_READY', status: 409 },
  { code: 'STORAGE_UNAVAILABLE', status: 503 },
]

/** How a run may end; whether trying again can help. */
export const ofRuns: { code: string; retryable: boolean }[] = [
  { code: 'UPSTREAM_REJECTED', retryable: false },
  { code: 'QUOTA_EXHAUSTED', retryable: false },
  ...[
    ...['UPSTREAM_ERROR', 'UPSTREAM_TIMEOUT', 'UPSTREAM_UNAVAILABLE', 'STORAGE_UNAVAILABLE'],
    ...['CANCELLED', 'REVIEW_EXPIRED', 'INTERRUPTED', 'RUN_TIMEOUT', 'INTERNAL_ERROR'],
  ].map((code) => ({ code, retryable: true })),
]

/** The page sends no such request. */
export const neverMet = ['METHOD_NOT_ALLOWED', 'UPGRADE_REQUIRED']
