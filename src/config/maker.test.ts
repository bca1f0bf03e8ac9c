import { expect, it } from 'vitest'
import { readConfig } from './config.ts'

const required = {
  DATABASE_URL: 'postgres://gateway:pw@db/gateway',
  PRESENTON_URL: 'http://presenton/',
  MINIO_ENDPOINT: 'http://minio:9000',
  MINIO_ACCESS_KEY: 'access',
  MINIO_SECRET_KEY: 'secret-key',
  AUTH_JWT_SECRET: 's'.repeat(32),
  PRESENTON_ACCOUNTS: 'per-user',
  PRESENTON_USERNAME: 'admin',
  PRESENTON_PASSWORD: 'a password',
  PRESENTON_ACCOUNT_SECRET: 's'.repeat(32),
}

const read = (env: Record<string, string>) => readConfig({ ...required, ...env })

it('ignores all other variables without a port', () => {
  const env = { MAKER_URL: 'nonsense', MAKER_RATE_PER_MINUTE: 'x', MAKER_FRAME_ANCESTORS: '*' }
  expect(read(env).maker).toBeUndefined()
})

it('has the documented defaults', () => {
  expect(read({ MAKER_PORT: '5000' }).maker).toEqual({
    port: 5000,
    url: undefined,
    signInUrl: undefined,
    frameAncestors: [],
    ratePerMinute: 1200,
    hasGoogleFonts: false,
  })
})

it.each([
  [{}, 'https://maker.example.com'],
  [{ PUBLIC_URL: 'https://api.example.com' }, 'https://maker.example.com'],
  [{ PUBLIC_URL: 'http://localhost:3000' }, 'http://localhost:5000'],
  [{ PUBLIC_URL: 'http://localhost:3000' }, 'http://127.0.0.1:5000'],
  [{ PUBLIC_URL: 'http://127.0.0.1:3000' }, 'http://[::1]:5000'],
  [{ CORS_ORIGINS: 'https://app.example.com' }, 'https://maker.example.com'],
])('takes an origin of its own: %o, %s', (env, url) => {
  expect(read({ MAKER_PORT: '5000', MAKER_URL: url, ...env }).maker?.url).toBe(url)
})

it.each([
  [{ PUBLIC_URL: 'https://example.com' }, 'https://example.com'],
  [{ PUBLIC_URL: 'https://example.com' }, 'https://example.com:8443'],
  [{ PUBLIC_URL: 'https://example.com/gateway' }, 'http://example.com'],
  [{ PUBLIC_URL: 'http://localhost:5000' }, 'http://localhost:5000'],
  [{ CORS_ORIGINS: 'https://maker.example.com' }, 'https://maker.example.com'],
  [{}, 'https://maker.example.com/path'],
])('refuses an origin that the API shares: %o, %s', (env, url) => {
  expect(() => read({ MAKER_PORT: '5000', MAKER_URL: url, ...env })).toThrow('MAKER_URL')
})

it.each(['https://app.example.com', 'https://example.com, https://x.y.example.com:8443', "'none'"])(
  'may be embedded by pages of its site: %s',
  (ancestors) => {
    const env = { MAKER_PORT: '5000', MAKER_URL: 'https://maker.example.com' }
    expect(() => read({ ...env, MAKER_FRAME_ANCESTORS: ancestors })).not.toThrow()
  },
)

it.each(['https://example.org', 'http://app.example.com', '*', 'https://app.example.com/x'])(
  'may not be embedded by %s',
  (ancestors) => {
    const env = { MAKER_PORT: '5000', MAKER_URL: 'https://maker.example.com' }
    expect(() => read({ ...env, MAKER_FRAME_ANCESTORS: ancestors })).toThrow(
      'MAKER_FRAME_ANCESTORS',
    )
  },
)

it('knows that customers of a shared host are different sites', () => {
  const env = { MAKER_PORT: '5000', MAKER_URL: 'https://maker.github.io' }
  expect(() => read({ ...env, MAKER_FRAME_ANCESTORS: 'https://evil.github.io' })).toThrow(
    'MAKER_FRAME_ANCESTORS',
  )
})

it('needs an account for each user', () => {
  const env = { MAKER_PORT: '5000', PRESENTON_ACCOUNTS: 'shared' }
  expect(() => read(env)).toThrow('MAKER_PORT requires PRESENTON_ACCOUNTS=per-user')
})
