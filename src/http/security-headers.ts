// The headers that stand on every answer, also on those that no route and no hook of Fastify sees
// (a URL that can't be read, a request that isn't HTTP). One list for all three ways out, which is
// why it is not left to a plugin.

/** For answers that are data: nothing in them may run, load, or be framed. */
const contentSecurityPolicy =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

export interface SecurityOptions {
  /** Browsers are told to stay with https; only where the service is reached that way. */
  isHttps: boolean
  /** Pages of other origins may embed what we serve (pictures of slides). */
  isShared: boolean
}

export function securityHeaders({ isHttps, isShared }: SecurityOptions): Record<string, string> {
  return {
    'content-security-policy': contentSecurityPolicy,
    'cross-origin-opener-policy': 'same-origin',
    'cross-origin-resource-policy': isShared ? 'cross-origin' : 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-dns-prefetch-control': 'off',
    'x-frame-options': 'DENY',
    'x-permitted-cross-domain-policies': 'none',
    ...(isHttps && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
  }
}
