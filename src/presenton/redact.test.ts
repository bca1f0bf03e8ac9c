import { describe, expect, it } from 'vitest'
import { redactUpstreamText } from './redact.ts'

describe('redactUpstreamText', () => {
  it.each([
    [
      'URLs',
      'Connect to https://user:pw@api.internal:8443/v1?key=1 failed',
      /https|internal|8443|pw/,
    ],
    [
      'hosts with ports',
      'could not reach presenton-db:5432 or postgres.internal.lan',
      /presenton-db|5432|lan/,
    ],
    ['resolver errors', 'getaddrinfo ENOTFOUND presenton', /presenton/],
    ['IPv4 addresses', 'dial 10.0.12.7:8000 refused', /10\.0|8000/],
    [
      'IPv6 addresses',
      'dial [fe80::1ff:fe23:4567:890a]:80 or 2001:db8:0:0:0:0:2:1 or ::1',
      /fe80|2001|::1/,
    ],
    ['localhost', 'http on localhost:8000 is down', /localhost|8000/],
    [
      'file paths',
      "No such file: '/app_data/exports/users/a b.pptx' in /tmp/x.py, servers/fastapi/api/main.py, C:\\Users\\me\\k.txt",
      /app_data|tmp|fastapi|Users/,
    ],
    [
      'provider keys',
      'Incorrect API key provided: sk-fak*****key. Also sk-presenton-0123456789abcdef.',
      /sk-|fak|0123/,
    ],
    ['Bearer tokens', 'header Authorization: Bearer abc.def-ghi rejected', /abc|ghi/],
    ['JSON Web Tokens', 'token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2lnbmF0dXJl is old', /eyJ/],
    [
      'passwords in pairs',
      'openClient failed: password=hunter2 user=x; AUTH_SECRET_KEY="two words"; api_key: abc',
      /hunter2|two words|abc/,
    ],
    ['sessions', 'cookie presenton_session=abcdef was refused', /abcdef/],
    ['long hex', 'request 0123456789abcdef0123456789abcdef failed', /0123456789/],
    ['long base64', 'got QWxhZGRpbjpvcGVuIHNlc2FtZQ0123456789+/== back', /QWxh/],
    ['mail addresses', 'ask admin@example.org', /admin|example/],
  ])('removes %s', (_, text, secret) => {
    expect(redactUpstreamText(text)).not.toMatch(secret)
  })

  it.each([
    'Expecting value: line 1 column 1 (char 0)',
    'Number of outlines cannot be greater than 50',
    'AI provider API request is temporarily rate limited. Please wait and try again.',
    "Input should be 'pptx' or 'pdf'",
    'Presentation slides not found',
    'Vorschläge und 提案 and/or 50%',
  ])('keeps: %s', (text) => {
    expect(redactUpstreamText(text)).toBe(text)
  })

  it('returns one line of at most 300 characters', () => {
    const text = redactUpstreamText(`a\r\nb\u2028c\u0000d ${'word '.repeat(1000)}`)
    expect(text).toMatch(/^a b c d word/)
    expect(text.length).toBeLessThanOrEqual(300)
    expect(text).not.toMatch(/[\r\n\u2028\0]/)
  })

  it('returns no half of a surrogate pair', () => {
    const text = redactUpstreamText(`\ud800 ${'😀 '.repeat(400)}`)
    expect(Buffer.from(text).toString()).toBe(text)
  })

  it('drops a key that the input bound cuts in two', () => {
    expect(redactUpstreamText(`${'/a '.repeat(665)}sk-live-secret`)).not.toContain('sk')
  })

  it.each([
    'a'.repeat(1e6),
    'a.'.repeat(5e5),
    '-'.repeat(1e6),
    '/a'.repeat(5e5),
    ':'.repeat(1e6),
    'key='.repeat(2e5),
    '"'.repeat(1e6),
    '1:'.repeat(5e5),
    'a@'.repeat(5e5),
  ])('takes linear time for hostile text', (text) => {
    const startMs = performance.now()
    redactUpstreamText(text)
    expect(performance.now() - startMs).toBeLessThan(5_000)
  })
})
