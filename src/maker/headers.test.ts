import { expect, test } from 'vitest'
import { makerHeaders } from './headers.ts'

const plain = {
  frameAncestors: [] as string[],
  hasGoogleFonts: false,
  isHttps: false,
  imageHosts: new Set<string>(),
}

const policyOf = (options: Partial<typeof plain>) =>
  makerHeaders({ ...plain, ...options })['content-security-policy']

test('pages load nothing from elsewhere, and are shown in no frame', () => {
  expect(makerHeaders(plain)).toMatchObject({
    'content-security-policy':
      "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
      "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; " +
      "worker-src 'self' blob:; form-action 'self'; base-uri 'none'; object-src 'none'; " +
      "frame-ancestors 'none'",
    'x-content-type-options': 'nosniff',
    'referrer-policy': 'no-referrer',
    'cache-control': 'private, no-store',
    'x-frame-options': 'DENY',
  })
})

test('images of hosts that slides may name are shown, over https alone', () => {
  const imageHosts = new Set(['images.example', 'other.example:8443'])
  expect(policyOf({ imageHosts })).toContain(
    "img-src 'self' data: blob: https://images.example https://other.example:8443;",
  )
})

test('the fonts of Google, and frames of the origins that were named', () => {
  const policy = policyOf({ hasGoogleFonts: true })
  expect(policy).toContain("style-src 'self' 'unsafe-inline' https://fonts.googleapis.com;")
  expect(policy).toContain("font-src 'self' data: https://fonts.gstatic.com;")
  const framed = makerHeaders({ ...plain, frameAncestors: ['https://app.example.com'] })
  expect(framed['content-security-policy']).toMatch(/frame-ancestors https:\/\/app\.example\.com$/)
  expect(framed).not.toHaveProperty('x-frame-options')
})
