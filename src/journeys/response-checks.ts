// Checks shared by all attack tests: every response has the security headers, and every refusal is
// a problem document that reveals no internals.

import { expect } from 'vitest'

/** On every response of the gateway, including those that no route produced. */
export const securityHeaders = {
  'content-security-policy': /default-src 'none'/,
  'cross-origin-opener-policy': /^same-origin$/,
  'cross-origin-resource-policy': /^(same|cross)-origin$/,
  'permissions-policy': /camera=\(\)/,
  'referrer-policy': /^no-referrer$/,
  'x-content-type-options': /^nosniff$/,
  'x-dns-prefetch-control': /^off$/,
  'x-frame-options': /^DENY$/,
  'x-permitted-cross-domain-policies': /^none$/,
  'x-request-id': /^[\w.:-]{1,64}$/,
}

export type HeaderValues = Record<string, string | undefined>

/**
 * `hasOwnPolicy`: the response sets its own content security policy, as the documentation pages do;
 * another test checks it.
 */
export function expectSecurityHeaders(
  headers: HeaderValues,
  what: string,
  { hasOwnPolicy = false } = {},
) {
  for (const [name, value] of Object.entries(securityHeaders)) {
    if (hasOwnPolicy && name === 'content-security-policy') continue
    expect(headers[name] ?? '', `${what}: ${name}`).toMatch(value)
  }
  expect(headers['server'], what).toBeUndefined()
  expect(headers['x-powered-by'], what).toBeUndefined()
}

/** Text that reveals how or where the gateway runs. */
const internals =
  /node_modules|\bat [\w.]+ \(|\.ts:\d|postgres|fastify|ECONN|127\.0\.0\.1|select |insert /i

export interface ReceivedResponse {
  status: number
  headers: HeaderValues
  text: string
}

/** Expects a problem document with this status, or one of these, and returns it. */
export function expectProblem(response: ReceivedResponse, status: number | number[], what: string) {
  expect([status].flat(), `${what}: ${response.text.slice(0, 300)}`).toContain(response.status)
  expectSecurityHeaders(response.headers, what)
  expect(response.headers['content-type'], what).toMatch(/^application\/problem\+json/)
  const problem = JSON.parse(response.text) as Record<string, unknown>
  expect(problem, what).toMatchObject({
    type: 'about:blank',
    title: expect.any(String),
    status: response.status,
    detail: expect.any(String),
    instance: expect.any(String),
    code: expect.stringMatching(/^[A-Z_]+$/),
    request_id: response.headers['x-request-id'],
  })
  expect(`${problem.detail} ${JSON.stringify(problem.errors ?? '')}`, what).not.toMatch(internals)
  if (response.status === 401) expect(response.headers['www-authenticate'], what).toMatch(/^Bearer/)
  if (response.status === 429 || response.status === 503)
    expect(Number(response.headers['retry-after']), what).toBeGreaterThan(0)
  return problem
}

/** Reads the body of a fetch response, for `expectProblem`. */
export async function readResponse(response: Response): Promise<ReceivedResponse> {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers) as HeaderValues,
    text: await response.text(),
  }
}
