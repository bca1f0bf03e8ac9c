// What every refusal has in common, whatever was attacked: a problem document that tells nothing,
// under the headers of all answers.

import { expect } from 'vitest'

/** Stand on every answer of the gateway, also on those that no route made. */
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
 * With a policy of their own, as the pages of the documentation have one, that one is left to their
 * own test.
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

/** Nothing that tells how the gateway is made, or where. */
export const internals =
  /node_modules|\bat [\w.]+ \(|\.ts:\d|postgres|fastify|ECONN|127\.0\.0\.1|select |insert /i

export function expectProblem(
  answer: { status: number; headers: HeaderValues; text: string },
  status: number | number[],
  what: string,
) {
  expect([status].flat(), `${what}: ${answer.text.slice(0, 300)}`).toContain(answer.status)
  expectSecurityHeaders(answer.headers, what)
  expect(answer.headers['content-type'], what).toMatch(/^application\/problem\+json/)
  const problem = JSON.parse(answer.text) as Record<string, unknown>
  expect(problem, what).toMatchObject({
    ...{
      type: 'about:blank',
      title: expect.any(String),
      status: answer.status,
      detail: expect.any(String),
    },
    ...{
      instance: expect.any(String),
      code: expect.stringMatching(/^[A-Z_]+$/),
      request_id: answer.headers['x-request-id'],
    },
  })
  expect(`${problem.detail} ${JSON.stringify(problem.errors ?? '')}`, what).not.toMatch(internals)
  if (answer.status === 401) expect(answer.headers['www-authenticate'], what).toMatch(/^Bearer/)
  if (answer.status === 429 || answer.status === 503)
    expect(Number(answer.headers['retry-after']), what).toBeGreaterThan(0)
  return problem
}

export async function readResponse(response: Response) {
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers) as HeaderValues,
    text: await response.text(),
  }
}
