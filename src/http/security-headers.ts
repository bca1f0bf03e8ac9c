// The security headers of all responses, and how a scope changes them. They are a plain list, not a
// plugin, because responses that no hook sees need them, too: unreadable URLs, invalid HTTP.
import type { App } from './base.ts'

/** For responses that are data: nothing in them may run, load or be framed. */
const dataOnlyPolicy =
  "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

export interface StrictHeaderOptions {
  /** Adds Strict-Transport-Security: browsers then use https only. */
  isHttps: boolean
  /** Pages of other origins may embed our responses, for example slide images. */
  isShared: boolean
}

/** The strictest set, for `createBase`. */
export function strictHeaders({ isHttps, isShared }: StrictHeaderOptions): Record<string, string> {
  return {
    'content-security-policy': dataOnlyPolicy,
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

/** Replaces headers of the base for all routes of this scope; undefined removes one. */
export function securityHeaders(scope: App, changes: Record<string, string | undefined>) {
  scope.addHook('onRequest', async (_request, reply) => {
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) reply.removeHeader(name)
      else reply.header(name, value)
    }
  })
}

/** What caches may do with the responses of this scope; a route may still set its own. */
export function cacheControl(scope: App, value: string) {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, cacheControl: value }
  })
  scope.addHook('onRequest', async (_request, reply) => {
    reply.header('cache-control', value)
  })
}
