// The security headers of the maker's origin. Its pages are upstream's, and show what a model wrote:
// they may load nothing from elsewhere, and send nothing elsewhere.

import type { MakerConfig } from '../config/maker.ts'

export interface MakerHeaderOptions extends Pick<MakerConfig, 'frameAncestors' | 'hasGoogleFonts'> {
  isHttps: boolean
  /** Of other servers, whose images slides may show. */
  imageHosts: ReadonlySet<string>
}

export function makerHeaders({
  frameAncestors,
  hasGoogleFonts,
  isHttps,
  imageHosts,
}: MakerHeaderOptions): Record<string, string> {
  const isFramed = frameAncestors.length > 0
  const policy = [
    "default-src 'none'",
    // Upstream's pages have inline scripts without nonces.
    "script-src 'self' 'unsafe-inline'",
    `style-src 'self' 'unsafe-inline'${hasGoogleFonts ? ' https://fonts.googleapis.com' : ''}`,
    ["img-src 'self' data: blob:", ...[...imageHosts].map((host) => `https://${host}`)].join(' '),
    `font-src 'self' data:${hasGoogleFonts ? ' https://fonts.gstatic.com' : ''}`,
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "form-action 'self'",
    "base-uri 'none'",
    "object-src 'none'",
    `frame-ancestors ${isFramed ? frameAncestors.join(' ') : "'none'"}`,
  ]
  return {
    'content-security-policy': policy.join('; '),
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'private, no-store',
    'cross-origin-resource-policy': 'same-origin',
    'cross-origin-opener-policy': 'same-origin',
    'permissions-policy': 'camera=(), geolocation=(), microphone=()',
    ...(!isFramed && { 'x-frame-options': 'DENY' }),
    ...(isHttps && { 'strict-transport-security': 'max-age=31536000; includeSubDomains' }),
  }
}
